// Tokens for trying things out, and what the server would make of one.

import { copyButton, field, fill, h, pretty } from "./dom.js";
import { wish } from "./server.js";

export async function showTokens(place, _parameters, signal) {
  const user = h("input", { value: "alice" });
  const channel = h("input", { placeholder: "for a subscription token" });
  const ttl = h("input", { inputmode: "numeric", value: "3600" });
  const claims = h("textarea", { spellcheck: "false", placeholder: 'more claims as JSON, such as {"info": {"name": "Alice"}}' });
  const made = h("div", { class: "stack", "aria-live": "polite" });
  const token = h("textarea", { spellcheck: "false", required: true });
  const verdict = h("div", { class: "stack", "aria-live": "polite" });

  const shown = (box, work) => async (event) => {
    event.preventDefault();
    try {
      fill(box, ...(await work()));
    } catch (error) {
      if (!signal.aborted) fill(box, h("p", { class: "bad-text" }, error.message));
    }
  };
  const make = shown(made, async () => {
    const found = await wish("console/token", { user: user.value, channel: channel.value, ttl: ttl.value, claims: claims.value });
    token.value = found.token;
    return [h("div", { class: "head" }, h("h3", {}, "Token"), copyButton(() => found.token)), h("pre", { id: "made" }, found.token), h("pre", {}, pretty(found.claims))];
  });
  const inspect = shown(verdict, async () => {
    const found = await wish("console/token_claims", { token: token.value });
    return [h("p", { class: found.valid ? "good-text" : "bad-text" }, `A ${found.kind} token. ${found.verdict}`), h("pre", {}, pretty(found.claims))];
  });

  place.append(h("div", { class: "head" }, h("h1", {}, "Tokens"), h("p", { class: "small" }, "Only in insecure mode, for development.")),
    h("div", { class: "columns" },
      h("form", { class: "card", onsubmit: make }, h("h2", {}, "Make one"),
        h("div", { class: "row" }, field("User (empty = anonymous)", user), field("Channel", channel), field("Valid for, seconds", ttl)),
        field("Claims", claims), h("div", { class: "row" }, h("button", {}, "Make")), made),
      h("form", { class: "card", onsubmit: inspect }, h("h2", {}, "Look at one"), field("Token", token), h("div", { class: "row" }, h("button", {}, "Inspect")), verdict)));
}
