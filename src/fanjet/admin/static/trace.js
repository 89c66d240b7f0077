// What one channel delivers, or what a user or a client says and is told, while one looks.

import { clock, field, fill, h, note, pretty } from "./dom.js";
import { listen } from "./server.js";

const KEPT = 500;
const KINDS = { channel: "Channel", user: "User", client: "Client" };

/** Links as Centrifugo has them name clients in another way. */
const given = (parameters, kind) => parameters.get(kind) ?? (kind === "client" ? parameters.get("client_id") : null);

export async function showTrace(place, parameters, signal) {
  const wantedKind = Object.keys(KINDS).find((name) => given(parameters, name) !== null) ?? "channel";
  const kind = h("select", {}, Object.entries(KINDS).map(([value, name]) => h("option", { value }, name)));
  kind.value = wantedKind;
  const entity = h("input", { value: given(parameters, wantedKind) ?? "" });
  const filter = h("input", { type: "search", placeholder: "text that events contain", oninput: () => draw() });
  const start = h("button", {}, "Start");
  const save = h("button", { class: "quiet", type: "button", disabled: true, onclick: download }, "Download");
  const state = h("p", { class: "soft small", role: "status" });
  const log = h("ol", { class: "log", tabindex: "0", "aria-label": "Events" });
  const events = [];
  let running = null;

  place.append(h("div", { class: "head" }, h("h1", {}, "Trace"), h("p", { class: "small" }, "On all nodes. Nothing is traced while nobody looks.")),
    h("form", { class: "card", onsubmit: (event) => { event.preventDefault(); running ? stop() : begin(); } },
      h("div", { class: "row" }, field("Trace", kind), field("Name or id", entity), field("Filter", filter), start, save), state),
    h("section", { class: "card" }, log));

  function stop() {
    running?.abort();
    running = null;
    start.textContent = "Start";
    state.textContent = `Stopped, ${events.length} events.`;
  }

  async function begin() {
    const own = new AbortController();
    running = own;
    events.length = 0;
    fill(log);
    start.textContent = "Stop";
    state.textContent = "Listening …";
    try {
      await listen(kind.value, entity.value, own.signal, (event) => {
        events.push(event);
        if (events.length > KEPT) events.shift();
        save.disabled = false;
        state.textContent = `Listening, ${events.length} events.`;
        if (wanted(event)) log.prepend(line(event));
        if (log.childElementCount > KEPT) log.lastElementChild.remove();
      });
    } catch (error) {
      if (!own.signal.aborted) note(error.message, true);
    }
    if (running === own) stop();
  }

  const wanted = (event) => !filter.value || JSON.stringify(event).toLowerCase().includes(filter.value.toLowerCase());
  const draw = () => fill(log, events.filter(wanted).reverse().map(line));

  function download() {
    const text = events.map((event) => JSON.stringify(event)).join("\n") + "\n";
    const url = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
    const anchor = h("a", { href: url, download: `trace-${kind.value}.ndjson` });
    anchor.click();
    URL.revokeObjectURL(url);
  }

  signal.addEventListener("abort", () => running?.abort());
  if (entity.value || parameters.has("user")) begin();
}

function line(event) {
  const body = event[event.type];
  const about = [h("b", {}, event.type), " ", event.node && h("span", { class: "soft" }, `${event.node} `), event.ms !== undefined && h("span", { class: "soft" }, `after ${event.ms} ms `)].filter(Boolean);
  const text = JSON.stringify(body) ?? "";
  const shown = text.length > 160 ? h("details", {}, h("summary", {}, ...about, text.slice(0, 140), " …"), h("pre", {}, pretty(body))) : [...about, text];
  return h("li", {}, h("time", {}, clock(event.time)), h("div", { class: "what" }, shown));
}
