// What this browser keeps: how the console looks, what was sent. And where there is more to read.

import { field, h, note } from "./dom.js";
import { ask } from "./server.js";
import { ACCENTS, accent, choose, theme } from "./theme.js";

const MINE = "fanjet.console.";
const KEPT = ["fanjet.console.token"];

export async function showSettings(place, _parameters, signal) {
  const themes = h("select", { onchange: () => choose({ theme: themes.value }) },
    [["", "As the system has it"], ["light", "Light"], ["dark", "Dark"]].map(([value, name]) => h("option", { value }, name)));
  themes.value = theme();
  const accents = h("select", { onchange: () => choose({ accent: accents.value }) }, ACCENTS.map((name) => h("option", { value: name }, name)));
  accents.value = accent();
  document.addEventListener("themechange", () => { themes.value = theme(); }, { signal });

  const about = h("p", { class: "soft" }, "…");
  place.append(h("h1", {}, "Settings"), h("div", { class: "columns" },
    h("section", { class: "card" }, h("h2", {}, "Appearance"), h("div", { class: "row" }, field("Theme", themes), field("Accent", accents))),
    h("section", { class: "card" }, h("h2", {}, "What this browser keeps"),
      h("p", { class: "soft" }, "How the console looks, and what was published from it. Nothing of it is on the server."),
      h("div", { class: "row" }, h("button", { class: "danger", type: "button", onclick: clear }, "Clear local data")))),
    h("section", { class: "card" }, h("h2", {}, "About"), about,
      h("p", {}, "Fanjet is free software under the Apache License 2.0. It speaks Centrifugo's protocol: ",
        h("a", { href: "https://centrifugal.dev/docs/transports/overview", rel: "noreferrer" }, "SDKs and transports"), ", ",
        h("a", { href: "https://centrifugal.dev/docs/server/server_api", rel: "noreferrer" }, "server API"), ".")));
  const { nodes } = await ask("console/overview", {}, signal);
  about.textContent = `Version ${[...new Set(nodes.map((node) => node.version))].join(", ")}.`;

  function clear() {
    for (const name of Object.keys(localStorage)) {
      if (name.startsWith(MINE) && !KEPT.includes(name)) localStorage.removeItem(name);
    }
    choose({});
    [themes.value, accents.value] = [theme(), accent()];
    note("Cleared.");
  }
}
