// The ledger: search, filters and an order on top of the rows that the page holds already. What is
// chosen stands in the address, so that a view, or one row, can be sent to a colleague.
(() => {
  "use strict";
  const register = document.querySelector(".register");
  if (!register) return;
  const VERDICTS = ["reproduces", "reproduces if", "contradicted", "fails", "not checkable"];
  const KINDS = {recomputed: "by a formula or a table", arithmetic: "arithmetic only",
    open: "nothing to compute"};
  const ORDERS = {topic: "topic", id: "number", verdict: "verdict", off: "how far off",
    date: "newest source"};
  const PLAIN = {q: "", topic: "", verdict: "", kind: "", sort: "topic"};

  function element(tag, properties = {}, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

  const topics = [...register.querySelectorAll("details.topic")];
  const rows = topics.flatMap((topic) => [...topic.querySelectorAll("tr[id]")].map((node) => ({
    node, topic, home: node.parentElement, id: node.id, text: "",
    verdict: node.dataset.verdict, kind: node.dataset.kind, date: node.dataset.date,
    off: node.dataset.times ? Math.abs(Math.log(Number(node.dataset.times))) : -1,
  })));
  const byId = new Map(rows.map((row) => [row.id, row]));
  const argued = [...document.querySelectorAll(".arguments tbody tr")];

  // --- controls ---

  const fields = {};
  function field(name, label, input) {
    input.id = `ledger-${name}`;
    fields[name] = input;
    const title = element("label", {htmlFor: input.id, textContent: label});
    return element("div", {className: "control"}, title, input);
  }

  function choice(name, label, options) {
    const nodes = options.map(([value, words]) => element("option", {value, textContent: words}));
    return field(name, label, element("select", {}, ...nodes));
  }

  const named = topics.map((topic) =>
    [topic.id.replace(/^topic-/, ""), topic.querySelector("summary b").textContent]);
  named.sort((one, other) => one[1].localeCompare(other[1]));
  const status = element("p", {className: "register-status"});
  status.setAttribute("role", "status");
  const reset = element("button", {type: "button", className: "reset", textContent: "Show all"});
  const form = element("form", {className: "register-controls"},
    field("q", "Search", element("input", {type: "search", autocomplete: "off",
      placeholder: "words or a number"})),
    choice("topic", "Topic", [["", "all"], ...named]),
    choice("verdict", "Verdict", [["", "all"], ...VERDICTS.map((word) => [word, word])]),
    choice("kind", "Recomputed", [["", "all"], ...Object.entries(KINDS)]),
    choice("sort", "Order", Object.entries(ORDERS)), reset);
  form.setAttribute("role", "search");
  form.setAttribute("aria-label", "Claims");
  const also = element("p", {className: "register-also", hidden: true});
  topics[0].before(form, status, also);

  // --- the rows that are shown ---

  const flat = element("table", {className: "book flat", hidden: true});
  flat.setAttribute("role", "table");
  flat.setAttribute("aria-label", "Claims of all topics, in the order chosen");
  const body = element("tbody");
  body.setAttribute("role", "rowgroup");
  flat.append(topics[0].querySelector("thead").cloneNode(true), body);
  also.after(flat);

  const COMPARE = {
    id: (one, other) => one.id.localeCompare(other.id, "en", {numeric: true}),
    verdict: (one, other) => VERDICTS.indexOf(one.verdict) - VERDICTS.indexOf(other.verdict),
    off: (one, other) => other.off - one.off,
    date: (one, other) => other.date.localeCompare(one.date),
  };

  function chosen() {
    return Object.fromEntries(Object.keys(PLAIN).map((name) => [name, fields[name].value.trim()]));
  }

  function matches(row, wanted, words) {
    if (wanted.topic && row.topic.id !== `topic-${wanted.topic}`) return false;
    if (wanted.verdict && row.verdict !== wanted.verdict) return false;
    if (wanted.kind && row.kind !== wanted.kind) return false;
    if (!words.length) return true;
    row.text ||= row.node.textContent.toLowerCase();
    return words.every((word) => row.text.includes(word));
  }

  let narrow = false; // whether less than everything is shown
  let moved = false; // whether rows stand in the one table
  function show() {
    const wanted = chosen();
    const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows.filter((row) => {
      row.node.hidden = !matches(row, wanted, words);
      return !row.node.hidden;
    });
    const ordered = wanted.sort !== "topic";
    flat.hidden = !ordered;
    if (ordered) {
      body.append(...found.sort((one, other) =>
        COMPARE[wanted.sort](one, other) || COMPARE.id(one, other)).map((row) => row.node));
    } else if (moved) {
      for (const row of rows) row.home.append(row.node);
    }
    moved = ordered;
    const filtered = Boolean(words.length || wanted.topic || wanted.verdict || wanted.kind);
    for (const topic of topics) {
      topic.hidden = ordered || !found.some((row) => row.topic === topic);
      if (filtered) topic.open = !topic.hidden;
      else if (narrow) topic.open = false;
    }
    narrow = filtered;
    const n = found.length;
    status.textContent = n
      ? `${n.toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")} claims`
      : "No claim fits: take back a word or a filter.";
    const fits = words.length ? argued.filter((row) => {
      const text = row.textContent.toLowerCase();
      return words.every((word) => text.includes(word));
    }) : [];
    also.hidden = !fits.length;
    also.replaceChildren("Arguments with these words:", ...fits.flatMap((row) =>
      [" ", element("a", {href: `#${row.id}`, textContent: row.id.replace(/\D+/, "")})]));
  }

  // --- the address ---

  function write() {
    const wanted = chosen();
    const pairs = Object.entries(wanted).filter(([name, value]) => value !== PLAIN[name]);
    const hash = new URLSearchParams(pairs).toString();
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }

  function fill(values) {
    for (const [name, value] of Object.entries({...PLAIN, ...values})) {
      fields[name].value = value;
      if (fields[name].selectedIndex === -1) fields[name].value = PLAIN[name]; // an unknown word
    }
    show();
  }

  function open(row) {
    if (row.node.hidden) fill({});
    if (!flat.contains(row.node)) row.topic.open = true;
    for (const other of register.querySelectorAll("tr.chosen")) other.classList.remove("chosen");
    row.node.classList.add("chosen");
    row.node.scrollIntoView({block: "center"});
    row.node.querySelector(".claim-id").focus({preventScroll: true});
  }

  function read() {
    let hash = location.hash.slice(1);
    try {
      hash = decodeURIComponent(hash);
    } catch {} // as it stands
    const row = byId.get(hash) || byId.get(`claim-${hash}`);
    if (row) return open(row);
    const asked = new URLSearchParams(location.hash.slice(1));
    const known = Object.keys(PLAIN).filter((name) => asked.has(name));
    if (!known.length) return undefined; // a heading, or nothing: the view stays
    fill(Object.fromEntries(known.map((name) => [name, asked.get(name)])));
    form.scrollIntoView({block: "start"});
    return undefined;
  }

  // The number of a row is its address; a click copies it as well.
  register.addEventListener("click", async (event) => {
    const link = event.target.closest("a.claim-id");
    if (!link) return;
    try {
      await navigator.clipboard.writeText(link.href);
      status.textContent = `The address of ${link.textContent} is copied.`;
    } catch {} // the address bar has it
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    show();
    write();
  });
  reset.addEventListener("click", () => {
    fill({});
    write();
  });
  addEventListener("hashchange", read);
  addEventListener("beforeprint", () => topics.forEach((topic) => { topic.open = !topic.hidden; }));
  // The browser goes to the row of the address by itself as well, late, and takes the focus away.
  addEventListener("load", () => setTimeout(() => {
    if (document.activeElement === document.body && register.querySelector("tr.chosen")) read();
  }));
  show();
  read();
})();
