// Every method of the server API as a form, as curl and as Python.

import { copyButton, field, fill, h, json, note, pretty } from "./dom.js";
import { asCurl, asPython, EXAMPLES, METHODS, parameters } from "./methods.js";
import { callRaw } from "./server.js";

export async function showApi(place, given) {
  const choice = h("select", { id: "method", onchange: () => { location.hash = `#/api?method=${choice.value}`; } },
    Object.keys(METHODS).map((name) => h("option", { value: name }, name)));
  const method = METHODS[given.get("method")] ? given.get("method") : "publish";
  choice.value = method;
  const fields = METHODS[method];
  const controls = Object.fromEntries(Object.entries(fields).map(([name, kind]) => [name, control(name, kind, given.get(name))]));
  const answer = h("section", { class: "card", hidden: true });
  const codes = h("section", { class: "card" });

  const texts = () => Object.fromEntries(Object.entries(controls).map(([name, each]) => [name, each.type === "checkbox" ? each.checked : each.value]));
  const request = () => parameters(fields, texts());

  function showCode() {
    let params;
    try {
      params = request();
    } catch (error) {
      fill(codes, h("p", { class: "bad-text" }, error.message));
      return;
    }
    const url = location.origin;
    const shown = [["curl", asCurl(url, method, params)], ["Python", asPython(url, method, params)]];
    fill(codes,
      h("div", { class: "head" }, h("h2", {}, "Request"), copyButton(() => pretty({ method, params }))), json({ method, params }),
      ...shown.flatMap(([name, code]) => [h("div", { class: "head" }, h("h2", {}, name), copyButton(() => code)), h("pre", {}, code)]));
  }

  async function send(event) {
    event.preventDefault();
    try {
      const params = request();
      const began = performance.now();
      const reply = await callRaw(method, params);
      const took = performance.now() - began;
      answer.hidden = false;
      fill(answer,
        h("div", { class: "head" }, h("h2", {}, reply.error ? "Error" : "Answer"), h("span", { class: "small soft" }, `${took.toFixed(0)} ms`), copyButton(() => pretty(reply))),
        json(reply));
    } catch (error) {
      note(error.message, true);
    }
  }

  const form = h("form", { class: "card", onsubmit: send, oninput: showCode }, field("Method", choice),
    Object.entries(controls).map(([name, each]) => (each.type === "checkbox" ? h("label", { class: "check" }, each, name) : field(name, each))),
    h("div", { class: "row" }, h("button", {}, "Call")));
  place.append(h("div", { class: "head" }, h("h1", {}, "API"), h("p", { class: "small" }, "Calls are made with your login; programs use http_api.key.")),
    h("div", { class: "columns" }, h("div", { class: "stack" }, form), h("div", { class: "stack" }, answer, codes)));
  showCode();
}

function control(name, kind, given) {
  if (kind === "boolean") return h("input", { type: "checkbox", checked: given === "true" });
  const value = given ?? (kind === "json" || kind === "number" ? EXAMPLES[name] ?? "" : "");
  if (kind === "json" || kind === "lines") return h("textarea", { spellcheck: "false", value, placeholder: kind === "lines" ? "one a line" : "JSON" });
  return h("input", { value, inputmode: kind === "number" ? "numeric" : undefined });
}
