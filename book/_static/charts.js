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

  // What a control is called in an address: its words and its unit, "context_thousand_tokens".
  function keyOf(name, unit) {
    const words = `${name} ${unit}`.toLowerCase().replace(/%/g, " percent ").replace(/×/g, " times ");
    return words.replace(/[^\p{L}\p{N}]+/gu, "_").replace(/^_|_$/g, "");
  }

  // One labelled control: `words` is its value in an address; `put` takes such words, and returns
  // what it could not do with them; `reset` goes back to the chapter's value.
  function addControl(box, figure, parameter, changed) {
    const {bind, name: signal, value: initial} = parameter;
    const [name, unit] = nameAndUnit(parameter);
    const id = `${figure.id}-${signal}`;
    const input = inputFor(bind, id);
    const label = element("label", {htmlFor: id, textContent: name});
    const control = element("div", {className: "control"}, label);
    const key = keyOf(name, unit);
    box.append(control);
    if (bind.input === "select") {
      if (unit) label.append(` (${unit})`);
      control.append(input);
      const labels = [...input.options].map((option) => option.textContent);
      const choose = (index) => {
        input.value = String(index);
        return changed(signal, bind.options[index]);
      };
      input.addEventListener("input", () => choose(Number(input.value)));
      const reset = () => choose(bind.options.indexOf(initial));
      input.value = String(bind.options.indexOf(initial));
      const put = async (text) => {
        if (!labels.includes(text)) return `${name} has no choice “${text}”.`;
        await choose(labels.indexOf(text));
        return "";
      };
      return {name, key, reset, put, words: () => labels[Number(input.value)]};
    }
    const digits = (String(bind.step ?? 1).split(".")[1] || "").length;
    const shape = {minimumFractionDigits: digits, maximumFractionDigits: digits};
    const words = (value) => `${value.toLocaleString("en-US", shape)} ${unit}`.trim();
    const shown = element("output");
    shown.setAttribute("for", id);
    control.append(shown, input);
    const place = (value) => {
      input.value = value;
      shown.textContent = words(value);
      input.setAttribute("aria-valuetext", words(value));
    };
    const move = (value) => {
      place(value);
      return changed(signal, value);
    };
    let now = initial; // the input itself would round it to its step
    input.addEventListener("input", () => {
      now = Number(input.value);
      move(now);
    });
    place(initial);
    const reset = () => move(now = initial);
    const put = async (text) => {
      const asked = text.trim() ? Number(text) : NaN;
      if (!Number.isFinite(asked)) return `“${text}” is no number for ${name}.`;
      input.value = asked; // within its ends, and on a step
      now = asked === initial ? initial : Number(input.value);
      await move(now);
      if (asked >= bind.min && asked <= bind.max) return "";
      return `${name} goes from ${words(bind.min)} to ${words(bind.max)}.`;
    };
    return {name, key, reset, put, words: () => String(now)};
  }

  // A chart's own name in an address: its section, "try-it"; a second one there is "try-it-2".
  function nameOf(figure) {
    const section = figure.closest("section[id]");
    const place = [...section.querySelectorAll("figure.chart")]
      .filter((other) => other.querySelector(SPEC) && other.closest("section[id]") === section)
      .indexOf(figure);
    return place ? `${section.id}-${place + 1}` : section.id;
  }

  async function copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  }

  // --- what is drawn now, as CSV ---

  // Every row behind a mark, and which layer of the chart it is: one may not follow the sliders.
  function rowsDrawn(view) {
    const rows = new Map();
    const visit = (mark) => {
      for (const item of mark.items ?? []) {
        if (mark.marktype === "group") (item.items ?? []).forEach(visit);
        else if (mark.role === "mark" && mark.marktype !== "text" && !rows.has(item.datum)) {
          rows.set(item.datum, `${mark.marktype} ${mark.name.match(/\d+/g)?.join(".") ?? 0}`);
        }
      }
    };
    visit(view.scenegraph().root);
    return [...rows];
  }

  // A spreadsheet would run a text that begins like a formula; numbers keep their sign.
  function cell(value) {
    if (typeof value === "number") {
      return Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "";
    }
    const text = String(value ?? "").replace(/^(?=[=+\-@\t\r])/, "'");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function csv(figure, view, controls) {
    const headers = JSON.parse(figure.querySelector(SPEC).dataset.columns);
    const rows = rowsDrawn(view);
    const fields = Object.keys(headers).filter((field) => rows.some(([row]) => field in row));
    const filled = rows.filter(([row]) => fields.some((field) => field in row));
    const set = controls.map((control) => {
      const text = control.words();
      return Number.isFinite(Number(text)) ? Number(text) : text;
    });
    const keys = controls.map((control) => control.key);
    const lines = [
      ["layer", ...fields.map((field) => headers[field]), ...keys],
      ...filled.map(([row, layer]) => [layer, ...fields.map((field) => row[field]), ...set]),
    ];
    return `\ufeff${lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("")}`;
  }

  function save(name, text) {
    const href = URL.createObjectURL(new Blob([text], {type: "text/csv"}));
    element("a", {href, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(href));
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
    const controls = bound.map((parameter) => addControl(box, figure, parameter, changed));
    const said = element("p", {className: "said"});
    said.setAttribute("role", "status");
    const button = (className, textContent, work) => {
      const node = element("button", {type: "button", className, textContent});
      node.addEventListener("click", work);
      return node;
    };
    const reset = button("reset", "Reset to the chapter’s numbers", async () => {
      said.textContent = "";
      for (const control of controls) await control.reset();
    });
    const link = button("link", "Copy link", async () => {
      const state = new URLSearchParams(controls.map(({key, words}) => [key, words()]));
      history.replaceState(null, "", `#${nameOf(figure)}?${state}`);
      said.textContent = await copied(location.href)
        ? "The link is copied." : "The address bar holds the link.";
    });
    box.append(element("div", {className: "actions"}, reset, link, said));
    if (bound.length) frame.before(box);
    if (speaks) frame.before(readout);
    speak();
    const page = location.pathname.split("/").pop().replace(/\.html$/, "");
    const data = button("csv", "CSV", () =>
      save(`${page}-${figure.id}.csv`, csv(figure, view, controls)));
    data.setAttribute("aria-describedby", `${figure.id}-t`);
    const note = figure.querySelector(".chart-note") ?? element("p", {className: "chart-note"});
    note.append(" ", data);
    figure.append(note);

    figure.restore = async (asked) => {
      const known = new Map(controls.map((control) => [control.key, control]));
      const doubts = [];
      for (const [key, text] of asked) {
        const control = known.get(key);
        const doubt = control ? await control.put(text) : `There is no “${key}” here.`;
        if (doubt) doubts.push(doubt);
      }
      said.textContent = ["Set as in the link.", ...doubts].join(" ");
    };

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
  const begun = new Map();
  function alive(figure) {
    if (!begun.has(figure)) {
      queue = queue.then(() => bringToLife(figure)).catch((error) => {
        figure.dataset.error = String(error);
        console.error(error);
      });
      begun.set(figure, queue);
    }
    return begun.get(figure);
  }

  const figures = [...document.querySelectorAll("figure.chart")].filter((figure) =>
    figure.querySelector(SPEC));
  function watch(rootMargin) {
    const observer = new IntersectionObserver((entries) => {
      for (const {isIntersecting, target} of entries) if (isIntersecting) alive(target);
    }, {rootMargin});
    for (const figure of figures) observer.observe(figure);
  }
  watch("0px"); // what is on the screen, and what comes near once somebody reads on
  addEventListener("scroll", () => watch(NEAR), {once: true, passive: true});

  // "#try-it?context_thousand_tokens=64" is a chart with the reader's numbers.
  async function read() {
    const [, name, asked] = /^#([^?]+)\?(.*)$/.exec(location.hash) || [];
    const figure = figures.find((one) => nameOf(one) === name);
    if (!figure) return;
    figure.scrollIntoView();
    await alive(figure);
    await figure.restore?.(new URLSearchParams(asked));
    figure.scrollIntoView();
  }
  addEventListener("hashchange", read);
  read();
})();
