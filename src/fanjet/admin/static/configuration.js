// The configuration as the server has it, secrets hidden, with where each value came from.

import { field, fill, h, patiently } from "./dom.js";
import { ask } from "./server.js";

export async function showConfiguration(place, parameters, signal) {
  const { fields, file } = await ask("api/config", {}, signal);
  const search = h("input", { type: "search", value: parameters.get("q") ?? "", placeholder: "part of a key or its description", oninput: patiently(() => draw(), 150) });
  const changed = h("input", { type: "checkbox", checked: parameters.get("all") === null, onchange: () => draw() });
  const tree = h("div", { class: "tree" });

  function draw() {
    const text = search.value.trim().toLowerCase();
    const shown = fields.map((node) => branch(node, [], text, changed.checked)).filter(Boolean);
    fill(tree, shown.length ? shown : h("p", { class: "empty" }, "Nothing matches."));
  }

  place.append(h("div", { class: "head" }, h("h1", {}, "Configuration"), h("p", { class: "small" }, file ? `from ${file}` : "from no file")),
    h("div", { class: "row" }, field("Search", search), h("label", { class: "check" }, changed, "only what differs from the defaults")),
    h("section", { class: "card" }, tree));
  draw();
}

/** One node with what is wanted below it; nothing when that is nothing. */
function branch(node, path, text, onlyChanged) {
  const own = [...path, node.key];
  const inside = node.children ?? (node.items?.[0]?.children && node.items);
  if (inside) {
    const found = text && own.join(".").toLowerCase().includes(text) ? "" : text;
    const shown = inside.map((child, index) => branch({ ...child, key: child.key || String(index + 1) }, own, found, onlyChanged)).filter(Boolean);
    return shown.length ? h("details", { open: Boolean(text) || onlyChanged }, h("summary", {}, node.key), shown) : null;
  }
  if (onlyChanged && !node.overridden) return null;
  const key = own.join(".");
  const description = node.doc?.description ?? "";
  if (text && !`${key} ${description}`.toLowerCase().includes(text)) return null;
  return h("div", { class: node.overridden ? "leaf changed" : "leaf" },
    h("a", { title: key, href: `#/configuration?all=1&q=${encodeURIComponent(key)}` }, node.key), h("code", {}, value(node)), node.origin && h("span", { class: "small soft" }, node.origin),
    description && h("small", {}, description, node.doc.default ? `; default ${node.doc.default}` : "", node.doc.env ? ` · ${node.doc.env}` : ""));
}

function value(node) {
  if (node.kind === "secret" || node.kind === "url") return node.set ? node.display : "not set";
  if (node.items) return node.items.map((item) => item.value).join(", ") || "[]";
  if (node.human !== undefined) return node.human;
  return node.value === "" ? '""' : String(node.value);
}
