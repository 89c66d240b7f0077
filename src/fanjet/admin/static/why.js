// Why somebody did not receive what was published: the server's own decisions, one after another.

import { field, fill, h, silence } from "./dom.js";
import { ask } from "./server.js";

const MARKS = { yes: "✓", no: "✕", unknown: "?" };
const WORDS = { yes: "yes", no: "no", unknown: "cannot be told" };

export async function showWhy(place, parameters, signal) {
  const user = h("input", { value: parameters.get("user") ?? "" });
  const client = h("input", { value: parameters.get("client") ?? "", placeholder: "one connection; empty = all of the user" });
  const channel = h("input", { value: parameters.get("channel") ?? "", required: true });
  const offset = h("input", { inputmode: "numeric", value: parameters.get("offset") ?? "", placeholder: "of one publication" });
  const answer = h("div", { class: "stack", "aria-live": "polite" });

  async function look(event) {
    event?.preventDefault();
    try {
      const who = client.value.trim() ? { client: client.value.trim() } : null;
      const query = new URLSearchParams({ channel: channel.value, offset: offset.value.trim(), ...(who ?? { user: user.value }) });
      const found = await ask("console/explanation", query, signal);
      fill(answer, silence(found.silent), found.verdict && h("p", { class: "verdict" }, found.verdict),
        found.steps.length > 0 && h("section", { class: "card" }, h("h2", {}, "The publication"), steps(found.steps)),
        found.connections.map((one) => h("section", { class: "card" },
          h("h2", {}, one.user || "(anonymous)", " ", h("a", { class: "code small", href: `#/connections?client=${one.client}` }, one.client), h("span", { class: "small soft" }, ` on ${one.node}`)),
          steps(one.steps), h("p", { class: "verdict" }, one.verdict))));
    } catch (error) {
      if (!signal.aborted) fill(answer, h("p", { class: "card bad-text" }, error.message));
    }
  }

  place.append(h("div", { class: "head" }, h("h1", {}, "Why did it not arrive?"), h("p", { class: "small" }, "Goes through what decides about a delivery, on the node of the connection.")),
    h("form", { class: "card", onsubmit: look },
      h("div", { class: "row" }, field("User (empty = anonymous)", user), field("Client", client), field("Channel", channel), field("Offset", offset), h("button", {}, "Look"))),
    answer);
  if (channel.value && (client.value || parameters.has("user"))) await look();
}

const steps = (all) => h("ol", { class: "steps" }, all.map(([question, outcome, detail]) =>
  h("li", { "data-outcome": outcome }, h("span", { class: "mark", role: "img", "aria-label": WORDS[outcome] }, MARKS[outcome]),
    h("span", {}, question, " ", h("span", { class: "soft" }, detail)))));
