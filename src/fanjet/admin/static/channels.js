// Channels: which there are, and one of them with its history, who is there, what comes, and a form to publish.

import { clock, copyButton, count, facts, field, fill, h, json, note, pages, patiently, pretty, silence, table } from "./dom.js";
import { ask, call, listen } from "./server.js";

const LIMIT = 50;
const KEPT_EVENTS = 200;
const SENT = "fanjet.console.sent";
const KEPT_SENT = 12;
const MOST_PRESENT = 200;

export async function showChannels(place, parameters, signal) {
  const name = parameters.get("channel");
  return name ? showChannel(place, name, signal) : showList(place, parameters, signal);
}

async function showList(place, parameters, signal) {
  const search = h("input", { type: "search", value: parameters.get("q") ?? "", placeholder: "part of a name, or chat:*", oninput: patiently(() => go(0)) });
  const sort = h("select", { onchange: () => go(0) }, h("option", { value: "busiest" }, "busiest first"), h("option", { value: "name" }, "by name"));
  const open = h("input", { placeholder: "any channel" });
  const list = h("section", { class: "card" });
  place.append(h("h1", {}, "Channels"),
    h("div", { class: "row" }, field("Search", search), field("Order", sort),
      h("form", { class: "row", onsubmit: (event) => { event.preventDefault(); if (open.value) location.hash = link(open.value); } },
        field("Open by name, active or not", open), h("button", { class: "quiet" }, "Open"))),
    list);

  async function go(offset) {
    try {
      const found = await ask("console/channels", { q: search.value, sort: sort.value, offset, limit: LIMIT }, signal);
      const rows = found.channels.map(({ channel, subscribers }) => [h("a", { href: link(channel) }, channel), subscribers]);
      fill(list, table(["Channel", "Subscribers"], rows, search.value ? "No active channel matches." : "No channel has subscribers."),
        pages({ offset, limit: LIMIT, total: found.total }, go));
    } catch (error) {
      if (!signal.aborted) fill(list, h("p", { class: "bad-text" }, error.message));
    }
  }
  await go(0);
}

export const link = (channel) => `#/channels?channel=${encodeURIComponent(channel)}`;

async function showChannel(place, name, signal) {
  const found = await ask("console/channel", { channel: name }, signal);
  const summary = h("section", { class: "card" });
  showSummary(summary, found);
  place.append(h("div", { class: "head" }, h("h1", {}, name), h("p", {}, h("a", { href: "#/channels" }, "All channels"))),
    h("div", { class: "columns" }, summary, publishForm(name)), tail(name, signal));
  place.append(...await Promise.all([history(name, found, signal), presence(name, found)]));
}

function showSummary(place, found) {
  const { nodes } = found;
  const set = Object.entries(found.set);
  const proxies = set.filter(([name, value]) => name.endsWith("_proxy_enabled") && value).map(([name]) => name.replace("_proxy_enabled", ""));
  place.append(h("h2", {}, "Channel"), facts({
    Namespace: found.namespace || "(none)",
    Type: found.subscription_type,
    Name: found.name_is_valid ? "valid" : h("span", { class: "badge bad" }, "channel_regex does not allow it"),
    ...(found.users ? { "Only for": found.users.join(", ") } : {}),
    ...(found.private ? { Subscribing: "by a token only" } : {}),
    ...(Object.keys(found.variables).length ? { Variables: json(found.variables) } : {}),
    "The application is asked about": proxies.join(", ") || "nothing",
    Subscribers: count(nodes.reduce((sum, node) => sum + node.subscribers, 0)),
  }), silence(found.silent) || "");
  place.append(h("details", {}, h("summary", {}, `Options that are set (${count(set.length)})`), json(found.set)));
  for (const node of nodes) {
    const yes = (flag) => (flag ? "yes" : "no");
    place.append(h("h3", {}, `On ${node.node}`),
      h("p", { class: "small soft" }, node.epoch === null ? "No position is kept." : `Position ${node.offset} in epoch ${node.epoch}.`,
        node.apart ? ` ${count(node.apart)} are not as far, or further.` : ""),
      table(["Encoding", "Members", "Positions", "Delta", "Filter"],
        node.groups.map((group) => [group.wire, group.members, yes(group.positioned), yes(group.delta), yes(group.filtered)])));
  }
}

function publishForm(channel) {
  const data = h("textarea", { spellcheck: "false", id: "publish-data", value: '{"text": "Hello"}' });
  const tags = h("input", { placeholder: 'tags, such as {"kind": "news"}' });
  const sent = h("select", { onchange: () => { if (sent.value) data.value = sent.value; } });
  const result = h("p", { class: "small soft", role: "status" });
  const remember = (text) => {
    const kept = [text, ...recall().filter((each) => each !== text)].slice(0, KEPT_SENT);
    localStorage.setItem(SENT, JSON.stringify(kept));
    list();
  };
  const list = () => fill(sent, h("option", { value: "" }, "sent before …"), ...recall().map((text) => h("option", { value: text }, text.slice(0, 80))));
  list();
  return h("form", { class: "card", onsubmit: async (event) => {
    event.preventDefault();
    try {
      const began = performance.now();
      const done = await call("publish", { channel, data: JSON.parse(data.value), ...(tags.value ? { tags: JSON.parse(tags.value) } : {}) });
      result.textContent = `Published in ${(performance.now() - began).toFixed(0)} ms${done.offset ? `, offset ${done.offset}` : ""}.`;
      remember(data.value);
    } catch (error) {
      result.textContent = "";
      note(error.message, true);
    }
  } }, h("h2", {}, "Publish"), field("Data (JSON)", data), h("div", { class: "row" }, field("Tags", tags), field("History", sent)), h("div", { class: "row" }, h("button", {}, "Publish"), result));
}

function recall() {
  try {
    return JSON.parse(localStorage.getItem(SENT)) ?? [];
  } catch {
    return [];
  }
}

/** What comes in the channel while one looks. */
function tail(name, signal) {
  const log = h("ol", { class: "log", "aria-live": "off", "aria-label": "Live events", tabindex: "0" });
  const state = h("span", { class: "badge" }, "off");
  const button = h("button", { type: "button", onclick: () => (running ? stop() : begin()) }, "Start");
  let running = null;
  signal.addEventListener("abort", () => stop());

  function stop() {
    running?.abort();
    running = null;
    state.textContent = "off";
    button.textContent = "Start";
  }

  async function begin() {
    const own = new AbortController();
    running = own;
    state.textContent = "live";
    button.textContent = "Stop";
    try {
      await listen("channel", name, own.signal, (event) => {
        log.prepend(eventLine(event));
        if (log.childElementCount > KEPT_EVENTS) log.lastElementChild.remove();
      });
    } catch (error) {
      if (!own.signal.aborted) note(error.message, true);
    }
    if (running === own) stop();
  }

  return h("section", { class: "card" }, h("div", { class: "head" }, h("h2", {}, "Live tail ", state), button), log);
}

function eventLine(event) {
  const body = event[event.type];
  const about = event.type === "pub"
    ? [body.offset && h("b", {}, `#${body.offset} `), body.tags && h("span", { class: "soft" }, `${JSON.stringify(body.tags)} `), JSON.stringify(body.data)]
    : [h("b", {}, `${event.type} `), JSON.stringify(body)];
  return h("li", {}, h("time", {}, clock(event.time)), h("span", { class: "what" }, ...about.filter(Boolean)));
}

async function history(name, found, signal) {
  const card = h("section", { class: "card" });
  const read = async () => {
    try {
      const { publications, offset, epoch } = await call("history", { channel: name, limit: 50, reverse: true });
      fill(card,
        h("div", { class: "head" }, h("h2", {}, "History"), h("span", { class: "small soft" }, `top is offset ${offset} in epoch ${epoch}`),
          h("span", { class: "row" }, h("button", { class: "quiet", type: "button", onclick: read }, "Read again"),
            h("button", { class: "danger", type: "button", onclick: remove }, "Remove"))),
        table(["Offset", "Data", "Tags", "By"], publications.map((one) => [one.offset, h("code", {}, JSON.stringify(one.data)), one.tags ? h("code", {}, JSON.stringify(one.tags)) : "", one.info?.user ?? ""]), "No publication is kept."));
    } catch (error) {
      if (!signal.aborted) fill(card, h("h2", {}, "History"), h("p", { class: "soft" }, found.history ? error.message : "This namespace keeps no history."));
    }
  };
  const remove = async () => {
    if (!confirm(`Remove what is kept of ${name}?`)) return;
    await call("history_remove", { channel: name }).catch((error) => note(error.message, true));
    await read();
  };
  await read();
  return card;
}

async function presence(name, found) {
  const card = h("section", { class: "card" });
  if (!found.presence) {
    card.append(h("h2", {}, "Presence"), h("p", { class: "soft" }, "This namespace does not know who is there."));
    return card;
  }
  const read = async ({ list = false } = {}) => {
    try {
      const stats = await call("presence_stats", { channel: name });
      const title = `Presence (${count(stats.num_clients)} clients, ${count(stats.num_users)} users)`;
      const again = h("button", { class: "quiet", type: "button", onclick: () => read() }, "Read again");
      if (stats.num_clients > MOST_PRESENT && !list) {
        fill(card, h("div", { class: "head" }, h("h2", {}, title), h("span", { class: "row" },
          h("button", { class: "quiet", type: "button", onclick: () => read({ list: true }) }, "List them"), again)));
        return;
      }
      const there = Object.values((await call("presence", { channel: name })).presence);
      fill(card,
        h("div", { class: "head" }, h("h2", {}, title), h("span", { class: "row" }, copyButton(() => pretty(there)), again)),
        table(["User", "Client", "Info"], there.slice(0, MOST_PRESENT).map((one) => [one.user || "(anonymous)", h("a", { class: "code", href: `#/connections?client=${one.client}` }, one.client), one.conn_info ? h("code", {}, JSON.stringify(one.conn_info)) : ""]), "Nobody is there."),
        there.length > MOST_PRESENT && h("p", { class: "small soft" }, `The first ${MOST_PRESENT} are shown.`));
    } catch (error) {
      fill(card, h("h2", {}, "Presence"), h("p", { class: "bad-text" }, error.message));
    }
  };
  await read();
  return card;
}
