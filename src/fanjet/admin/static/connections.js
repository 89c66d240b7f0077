// Connections of all nodes: found by what is known of them, those of one user, and one with its subscriptions and queue.

import { bytes, count, duration, facts, field, fill, h, json, moment, note, pages, patiently, silence, table } from "./dom.js";
import { ask, call } from "./server.js";
import { link as channelLink } from "./channels.js";

const LIMIT = 50;
const EVERY = 3000;
const MOST_SUBSCRIPTIONS = 200;
const TRANSPORTS = ["websocket", "sse", "http_stream", "webtransport", "uni_websocket", "uni_sse", "uni_http_stream", "uni_grpc"];
const RECONNECT = { code: 3011, reason: "force reconnect" };

const link = (client) => `#/connections?client=${encodeURIComponent(client)}`;
const userLink = (user) => `#/connections?user=${encodeURIComponent(user)}`;
const named = (user) => user || "(anonymous)";
const labels = (one) => Object.entries(one.labels).map(([name, value]) => `${name}=${value}`).join(" ");
const software = (one) => [one.name, one.version].filter(Boolean).join(" ") || "–";

export async function showConnections(place, parameters, signal) {
  const client = parameters.get("client");
  return client ? showConnection(place, client, signal) : showList(place, parameters, signal);
}

async function showList(place, parameters, signal) {
  const user = parameters.get("user");
  const search = patiently(() => go(0));
  const input = (name, placeholder) => h("input", { type: "search", value: parameters.get(name) ?? "", placeholder, oninput: search });
  const select = (options) => h("select", { onchange: () => go(0) }, h("option", { value: "" }, "all"), options);
  const controls = {
    q: input("q", "part of a user, start of a client id"), channel: input("channel", "subscribed to"), ip: input("ip", "address"),
    label: input("label", "name=value"), name: input("name", "name or version"),
    transport: select(TRANSPORTS.map((name) => h("option", { value: name }, name))), node: select([]),
  };
  const list = h("section", { class: "card" });
  fill(place,
    user === null
      ? h("h1", {}, "Connections")
      : h("div", { class: "head" }, h("h1", {}, named(user)), h("p", {}, h("a", { href: "#/connections" }, "All connections"))),
    user !== null && userActions(user, () => go(0)),
    h("div", { class: "row" }, user === null && field("User or client", controls.q), field("Channel", controls.channel), field("Client software", controls.name),
      field("IP", controls.ip), field("Label", controls.label), field("Transport", controls.transport), field("Node", controls.node)), list);

  async function go(offset) {
    try {
      const wanted = new URLSearchParams({ offset, limit: LIMIT });
      for (const [name, control] of Object.entries(controls)) if (control.value.trim()) wanted.set(name, control.value.trim());
      if (user !== null) wanted.set("user", user);
      const found = await ask("console/connections", wanted, signal);
      if (!controls.node.value) offer(controls.node, found.nodes);
      const now = Date.now() / 1000;
      const rows = found.connections.map((one) => [
        h("a", { href: link(one.client) }, named(one.user)), h("span", { class: "code" }, one.client), software(one), `${one.transport}, ${one.encoding}`, one.address,
        labels(one), one.node, duration(now - one.since), one.subscriptions,
        one.queued_bytes ? h("span", { class: "badge bad" }, bytes(one.queued_bytes)) : "–",
      ]);
      fill(list, silence(found.silent),
        table(["User", "Client", "Software", "Transport", "IP", "Labels", "Node", "For", "Subscriptions", "Queue"], rows, found.of ? "No connection matches." : "Nobody is connected."),
        pages({ offset, limit: LIMIT, total: found.total }, go));
    } catch (error) {
      if (!signal.aborted) fill(list, h("p", { class: "bad-text" }, error.message));
    }
  }
  await go(0);
}

/** The nodes to choose from. */
function offer(choice, nodes) {
  fill(choice, h("option", { value: "" }, "all"), nodes.map(({ uid, name, total }) => h("option", { value: uid }, `${name} (${count(total)})`)));
}

function userActions(user, look) {
  const disconnect = async () => {
    if (!confirm("Disconnect all clients of this user? They will not come back by themselves.")) return;
    await call("disconnect", { user }).then(() => note("Disconnected."), (error) => note(error.message, true));
    await look();
  };
  return h("div", { class: "row actions" },
    h("button", { class: "danger", type: "button", onclick: disconnect }, "Disconnect all"),
    h("a", { href: `#/trace?user=${encodeURIComponent(user)}` }, "Trace"),
    h("a", { href: `#/why?user=${encodeURIComponent(user)}` }, "Why did they not receive …?"));
}

async function showConnection(place, client, signal) {
  const title = h("h1", {});
  const about = h("section", { class: "card" });
  const queue = h("section", { class: "card" });
  const subscriptions = h("section", { class: "card" });
  const actions = h("div", { class: "row actions" });
  place.append(h("div", { class: "head" }, title, h("p", {}, h("a", { href: "#/connections" }, "All connections"))), actions,
    h("div", { class: "columns" }, about, queue), subscriptions);
  let known;
  let looking = false;

  async function look() {
    if (looking) return;
    looking = true;
    try {
      known = await ask("console/connection", { client, node: known?.node_uid }, signal);
      show(known);
    } catch (error) {
      if (signal.aborted) return;
      clearInterval(timer);
      title.textContent = "Gone";
      fill(actions, h("p", { class: "card" }, known ? "This connection has ended." : error.message));
      fill(about), fill(queue), fill(subscriptions);
    } finally {
      looking = false;
    }
  }

  const act = (text, method, params) => async () => {
    try {
      await call(method, { user: known.user, client, ...params });
      note(text);
      await look();
    } catch (error) {
      if (!signal.aborted) note(error.message, true);
    }
  };

  function show(one) {
    title.textContent = named(one.user);
    if (!actions.childElementCount) {
      fill(actions,
        h("button", { class: "danger", type: "button", onclick: () => confirm("Disconnect this client? It will not come back by itself.") && act("Disconnected.", "disconnect", {})() }, "Disconnect"),
        h("button", { class: "quiet", type: "button", onclick: act("It will come back.", "disconnect", { disconnect: RECONNECT }) }, "Reconnect"),
        h("button", { class: "quiet", type: "button", onclick: () => refresh() }, "Prolong by an hour"),
        h("a", { href: `#/trace?client=${encodeURIComponent(client)}` }, "Trace"),
        h("a", { href: `#/why?client=${encodeURIComponent(client)}` }, "Why did it not receive …?"));
    }
    fill(about, h("h2", {}, "Connection"), facts({
      Client: h("span", { class: "code" }, one.client), User: h("a", { href: userLink(one.user) }, named(one.user)), Node: one.node, State: one.state,
      Software: software(one), Connected: moment(one.since),
      Transport: `${one.transport}, ${one.encoding}${one.emulated ? ", commands by requests of their own" : ""}`,
      IP: one.address || "not known", Session: one.session || "–",
      Expires: moment(one.expire_at), Labels: labels(one) || "–",
      Info: one.info ? json(one.info) : "–", Meta: one.meta ? json(one.meta) : "–",
    }));
    fill(queue, h("h2", {}, "Queue and pings"), facts({
      "Waits to be sent": `${bytes(one.queued_bytes)} of ${one.queue_limit ? bytes(one.queue_limit) : "any number"}`,
      "Client takes data": one.write_blocked ? h("span", { class: "badge bad" }, "no, it is slow") : "yes",
      "Last ping answered": one.latency < 0 ? "not yet" : `after ${count(one.latency)} ms`,
      "Next ping": one.ping_in === null ? "none" : `in ${Math.max(0, one.ping_in)} s`,
      "Waiting for a pong": one.ping_outstanding ? `yes, ${one.closes_unless_pong_in} s left` : "no",
      "Last command": one.last_command || "–",
    }));
    const badge = (state) => h("span", { class: state === "live" ? "badge" : "badge wait" }, state);
    const rows = one.subscriptions.slice(0, MOST_SUBSCRIPTIONS).map((each) => [
      h("a", { href: channelLink(each.channel) }, each.channel), badge(each.state), `${each.source}${each.server_side ? ", server-side" : ""}`,
      each.positioned ? `${each.offset} in ${each.epoch}` : "–",
      [each.recovery && "recovery", each.delta && "delta", each.filtered && "filter", each.presence && "presence"].filter(Boolean).join(", ") || "–",
      moment(each.expire_at),
      h("button", { class: "danger", type: "button", onclick: act(`Unsubscribed from ${each.channel}.`, "unsubscribe", { channel: each.channel }) }, "Unsubscribe"),
    ]);
    fill(subscriptions, h("h2", {}, `Subscriptions (${count(one.subscriptions.length)})`),
      table(["Channel", "State", "By", "Position", "With", "Expires", ""], rows, "It has no subscriptions."),
      one.subscriptions.length > rows.length && h("p", { class: "small soft" }, `The first ${count(rows.length)} are shown.`));
  }

  const refresh = () => act("Prolonged.", "refresh", { expire_at: Math.floor(Date.now() / 1000) + 3600 })();
  const timer = setInterval(() => document.hidden || document.activeElement?.closest("table") || look(), EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));
  await look();
}
