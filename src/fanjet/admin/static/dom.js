// Elements by name. Whatever comes from the server enters the page as text.

/** Make an element. Properties that begin with `on` are listeners; `true` sets an attribute without value. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...wanted(children));
  return element;
}

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...wanted(children));
}

/** Children may be lists, and absent. */
const wanted = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

/** A labelled control. */
export function field(label, control, { wide = false } = {}) {
  return h("label", { class: wide ? "field wide" : "field" }, label, control);
}

/** A table; `rows` are lists of cells, texts or elements. Numbers stand at the right. */
export function table(heads, rows, empty = "Nothing here.") {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  const numeric = heads.map((_, index) => typeof rows[0][index] === "number");
  const cell = (content, index) =>
    h("td", { class: numeric[index] && "number" }, typeof content === "number" ? count(content) : content);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" }, h("table", {},
    h("thead", {}, h("tr", {}, heads.map((head, index) => h("th", { scope: "col", class: numeric[index] && "number" }, head)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell))))));
}

/** Pairs of a name and what is known. */
export function facts(pairs) {
  return h("dl", { class: "facts" }, Object.entries(pairs).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value ?? "–")]));
}

/** Say something in the corner for a while. */
export function note(text, bad = false) {
  const line = h("p", { class: bad ? "bad" : "" }, text);
  document.querySelector("#notes").append(line);
  setTimeout(() => line.remove(), bad ? 8000 : 4000);
}

/** Buttons to leaf through a list by. */
export function pages({ offset, limit, total }, go) {
  const to = Math.min(offset + limit, total);
  return h("div", { class: "pages" },
    h("span", {}, total ? `${count(offset + 1)}–${count(to)} of ${count(total)}` : ""),
    h("span", {},
      h("button", { class: "quiet", type: "button", disabled: offset === 0, onclick: () => go(Math.max(0, offset - limit)) }, "Previous"),
      h("button", { class: "quiet", type: "button", disabled: to >= total, onclick: () => go(offset + limit) }, "Next")));
}

/** Which nodes have not told anything: too slow, or of another kind. */
export function silence(nodes) {
  return nodes.length > 0 && h("p", { class: "small wait-text" }, `Not told by: ${nodes.join(", ")}.`);
}

const LONGEST_COLOURED = 30_000;
const LONGEST_SHOWN = 200_000;
const TOKENS = /("(?:\\.|[^"\\])*")(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/g;

/** JSON with its parts in colours; of a long one only so much that the page stays quick. */
export function json(value, properties = {}) {
  const whole = pretty(value) ?? "";
  if (whole.length > LONGEST_COLOURED) {
    const shown = whole.slice(0, LONGEST_SHOWN);
    const rest = whole.length - shown.length;
    return h("pre", properties, shown, rest > 0 && `\n… and ${count(rest)} characters more, which can be copied.`);
  }
  return coloured(whole, properties);
}

function coloured(text, properties) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(TOKENS)) {
    const [, string, colon] = found;
    const shown = string ?? found[0];
    parts.push(text.slice(at, found.index), h("span", { class: colon ? "json-key" : string ? "json-text" : "json-value" }, shown));
    at = found.index + shown.length;
  }
  return h("pre", properties, ...parts, text.slice(at));
}

export function copyButton(text) {
  return h("button", { class: "quiet", type: "button", onclick: () =>
    navigator.clipboard.writeText(text()).then(() => note("Copied."), () => note("The browser does not let this page copy.", true)) }, "Copy");
}

export const count = (number) => number.toLocaleString("en");
export const pretty = (value) => JSON.stringify(value, null, 2);

export function bytes(number) {
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (number < 1024 || unit === "GB") return `${number < 10 && unit !== "B" ? number.toFixed(1) : Math.round(number)} ${unit}`;
    number /= 1024;
  }
}

export function duration(seconds) {
  const parts = seconds < 60 ? [[seconds, "s"]]
    : seconds < 3600 ? [[seconds / 60, "min"]]
    : seconds < 86400 ? [[seconds / 3600, "h"], [(seconds / 60) % 60, "min"]]
    : [[seconds / 86400, "d"], [(seconds / 3600) % 24, "h"]];
  return parts.map(([number, unit]) => `${Math.floor(number)}\u00a0${unit}`).join(" ");
}

/** A moment in Unix seconds, and how far away it is; for 0, never. */
export function moment(seconds) {
  if (!seconds) return "never";
  const left = seconds - Date.now() / 1000;
  return `${new Date(seconds * 1000).toLocaleString()} (${left < 0 ? `${duration(-left)} ago` : `in ${duration(left)}`})`;
}

export const clock = (milliseconds) => new Date(milliseconds).toLocaleTimeString("en-GB") + "." + String(milliseconds % 1000).padStart(3, "0");

/** Call `work` some time after the last call. */
export function patiently(work, milliseconds = 250) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, milliseconds);
  };
}
