// Sliders. Every figure is a drawn picture; one that carries a specification gets controls, and is
// recomputed in the browser, when it comes near the screen. Vega is fetched only then.
(() => {
  "use strict";
  const NEAR = "800px";
  const PHONE_WIDTH = 500;
  const PHONE_HEIGHT = 300;
  const SPEC = "script[type='application/vnd.vegalite+json']";
  const root = document.documentElement.dataset.content_root || "./";

  let loading;
  function loadVega() {
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${root}_static/vega.js`;
      script.onload = () => resolve(window.vegaEmbed);
      script.onerror = () => reject(new Error(`${script.src} did not load`));
      document.head.append(script);
    });
    return loading;
  }

  function element(tag, properties = {}, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

  // Warnings are counted on the figure: a test wants none. While Vega compiles and draws first, it
  // speaks to the console; afterwards the view speaks to a logger of ours.
  function warningCounter(figure) {
    figure.dataset.warnings = "0";
    return () => {
      figure.dataset.warnings = String(Number(figure.dataset.warnings) + 1);
    };
  }

  async function listening(warned, work) {
    const {warn} = console;
    console.warn = (...words) => {
      warned();
      warn.apply(console, words);
    };
    try {
      return await work();
    } finally {
      console.warn = warn;
    }
  }

  function loggerFor(warned) {
    const silent = () => logger;
    const count = (...words) => {
      warned();
      console.warn(...words);
      return logger;
    };
    const logger = {level: silent, error: count, warn: count, info: silent, debug: silent};
    return logger;
  }

  // The figure has one description of its own; Vega's marks would be read out one by one.
  function hideFromReaders(view) {
    view.querySelector("svg").setAttribute("aria-hidden", "true");
    for (const node of view.querySelectorAll("[role], [aria-label], [aria-roledescription]")) {
      for (const name of ["role", "aria-label", "aria-roledescription"]) node.removeAttribute(name);
    }
  }

  // "GPU rent (USD per hour)" is the name and the unit.
  function nameAndUnit(parameter) {
    const full = (parameter.bind.name || parameter.name).trim();
    const match = /^(.*?)\s*\(([^()]*)\)$/.exec(full);
    return match ? [match[1], match[2]] : [full.replace(/:$/, ""), ""];
  }

  function inputFor(bind, id) {
    if (bind.input !== "select") {
      const {min, max, step} = bind;
      return element("input", {id, type: "range", min, max, step: step ?? "any"});
    }
    const options = bind.options.map((option, i) =>
      element("option", {value: String(i), textContent: String(bind.labels?.[i] ?? option)}));
    return element("select", {id}, ...options);
  }

  // One labelled control; returns a function that sets it back to the chapter's value.
  function addControl(box, figure, parameter, changed) {
    const {bind, name: signal, value: initial} = parameter;
    const [name, unit] = nameAndUnit(parameter);
    const id = `${figure.id}-${signal}`;
    const input = inputFor(bind, id);
    const label = element("label", {htmlFor: id, textContent: name});
    const control = element("div", {className: "control"}, label);
    box.append(control);
    if (bind.input === "select") {
      if (unit) label.append(` (${unit})`);
      control.append(input);
      input.addEventListener("input", () => changed(signal, bind.options[Number(input.value)]));
      const reset = () => {
        input.value = String(bind.options.indexOf(initial));
        return changed(signal, initial);
      };
      input.value = String(bind.options.indexOf(initial));
      return reset;
    }
    const digits = (String(bind.step ?? 1).split(".")[1] || "").length;
    const shape = {minimumFractionDigits: digits, maximumFractionDigits: digits};
    const words = (value) => `${value.toLocaleString("en-US", shape)} ${unit}`.trim();
    const shown = element("output");
    shown.setAttribute("for", id);
    control.append(shown, input);
    const show = (value) => {
      shown.textContent = words(value);
      input.setAttribute("aria-valuetext", words(value));
    };
    input.addEventListener("input", () => {
      show(Number(input.value));
      changed(signal, Number(input.value));
    });
    const place = () => {
      input.value = initial;
      show(initial);
    };
    place();
    return () => {
      place();
      return changed(signal, initial);
    };
  }

  async function bringToLife(figure) {
    const spec = JSON.parse(figure.querySelector(SPEC).textContent);
    const frame = figure.querySelector(".view");
    const bound = (spec.params || []).filter((parameter) => parameter.bind);
    spec.params = (spec.params || []).map(({bind, ...rest}) => rest);
    const speaks = spec.params.some((parameter) => parameter.name === "readout");
    delete spec.title; // the figure's caption says it

    const vegaEmbed = await loadVega();
    const warned = warningCounter(figure);
    let width = frame.clientWidth;
    if (width < PHONE_WIDTH) spec.height = PHONE_HEIGHT;
    const host = element("div");
    const options = {actions: false, renderer: "svg", ast: false, tooltip: false, logLevel: 2};
    const {view} = await listening(warned, () => vegaEmbed(host, {...spec, width}, options));
    view.logger(loggerFor(warned));
    frame.classList.add("live");
    frame.replaceChildren(host);
    hideFromReaders(host);

    const readout = element("p", {className: "readout"});
    readout.setAttribute("role", "status");
    const speak = () => {
      if (speaks) readout.textContent = view.signal("readout");
    };
    const changed = async (signal, value) => {
      await view.signal(signal, value).runAsync();
      hideFromReaders(host);
      speak();
    };
    const legend = element("legend", {className: "sr-only", textContent: "Your numbers"});
    const box = element("fieldset", {className: "controls"}, legend);
    const resets = bound.map((parameter) => addControl(box, figure, parameter, changed));
    const words = "Reset to the chapter’s numbers";
    const button = element("button", {type: "button", className: "reset", textContent: words});
    button.addEventListener("click", async () => {
      for (const reset of resets) await reset();
    });
    box.append(button);
    if (bound.length) frame.before(box);
    if (speaks) frame.before(readout);
    speak();

    addEventListener("resize", () => {
      if (frame.clientWidth && frame.clientWidth !== width) {
        width = frame.clientWidth;
        view.width(width).runAsync();
      }
    });
    figure.vegaView = view;
    figure.dataset.drawn = "live";
  }

  let queue = Promise.resolve(); // one figure after the other, or their warnings would mix
  const observer = new IntersectionObserver((entries) => {
    for (const {isIntersecting, target} of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      queue = queue.then(() => bringToLife(target)).catch((error) => {
        target.dataset.error = String(error);
        console.error(error);
      });
    }
  }, {rootMargin: NEAR});
  for (const figure of document.querySelectorAll("figure.chart")) {
    if (figure.querySelector(SPEC)) observer.observe(figure);
  }
})();
