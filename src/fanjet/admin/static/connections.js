// Connections of this node: found by what is known of them, and one of them with its subscriptions and its queue.

import { bytes, count, facts, field, fill, h, moment, note, pages, patiently, pretty, table } from "./dom.js";
import { ask, call } from "./server.js";
import { link as channelLink } from "./channels.js";

const LIMIT = 50;
const EVERY = 3000;
const TRANSPORTS = ["websocket", "sse", "http_stream", "webtransport", "uni_websocket", "uni_sse", "uni_http_stream", "uni_grpc"];

const link = (client) => `#/connections?client=${encodeURIComponent(client)}`;
const named = (user) => user || "(anonymous)";

export async function showConnections(place, parameters, signal) {
  const client = parameters.get("client");
  return client ? showConnection(place, client, signal) : showList(place, parameters, signal);
}

async function showList(place, parameters, signal) {
  const search = patiently(() => go(0));
  const input = (name, placeholder) => h("input", { type: "search", value: parameters.get(name) ?? "", placeholder, oninput: search });
  const controls = {
    q: input("q", "part of a user, start of a client id"), channel: input("channel", "subscribed to"),
    ip: input("ip", "address"), label: input("label", "name=value"),
    transport: h("select", { onchange: () => go(0) }, h("option", { value: "" }, "all"), TRANSPORTS.map((name) => h("option", { value: name }, name))),
  };
  const list = h("section", { class: "card" });
  place.append(h("div", { class: "head" }, h("h1", {}, "Connections"), h("p", { class: "small" }, "Those of this node.")),
    h("div", { class: "row" }, field("User or client", controls.q), field("Channel", controls.channel), field("IP", controls.ip),
      field("Label", controls.label), field("Transport", controls.transport)), list);

  async function go(offset) {
    try {
      const wanted = Object.fromEntries(Object.entries(controls).map(([name, control]) => [name, control.value.trim()]));
      const found = await ask("console/connections", { ...wanted, offset, limit: LIMIT }, signal);
      const rows = found.connections.map((one) => [
        h("a", { href: link(one.client) }, named(one.user)), h("span", { class: "code" }, one.client), `${one.transport}, ${one.encoding}`, one.address,
        Object.entries(one.labels).map(([name, value]) => `${name}=${value}`).join(" "), one.subscriptions,
        one.queued_bytes ? h("span", { class: "badge bad" }, bytes(one.queued_bytes)) : "–",
      ]);
      fill(list, table(["User", "Client", "Transport", "IP", "Labels", "Subscriptions", "Queue"], rows, found.of ? "No connection matches." : "Nobody is connected."),
        pages({ offset, limit: LIMIT, total: found.total }, go));
    } catch (error) {
      if (!signal.aborted) fill(list, h("p", { class: "bad-text" }, error.message));
    }
  }
  await go(0);
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

  async function look() {
    try {
      known = await ask("console/connection", { client }, signal);
    } catch (error) {
      if (signal.aborted) return;
      clearInterval(timer);
      title.textContent = "Gone";
      fill(actions, h("p", { class: "card" }, known ? "This connection has ended." : error.message));
      fill(about), fill(queue), fill(subscriptions);
      return;
    }
    show(known);
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
        h("button", { class: "quiet", type: "button", onclick: act("It will come back.", "disconnect", { disconnect: { code: 3011, reason: "force reconnect" } }) }, "Reconnect"),
        h("button", { class: "quiet", type: "button", onclick: () => refresh() }, "Prolong by an hour"),
        h("a", { href: `#/trace?client=${encodeURIComponent(client)}` }, "Trace"),
        h("a", { href: `#/why?client=${encodeURIComponent(client)}` }, "Why did it not receive …?"));
    }
    fill(about, h("h2", {}, "Connection"), facts({
      Client: h("span", { class: "code" }, one.client), User: named(one.user), State: one.state,
      Transport: `${one.transport}, ${one.encoding}${one.emulated ? ", commands by requests of their own" : ""}`,
      IP: one.address || "not known", Session: one.session || "–",
      Expires: moment(one.expire_at), Labels: Object.entries(one.labels).map(([name, value]) => `${name}=${value}`).join(" ") || "–",
      Info: one.info ? h("code", {}, pretty(one.info)) : "–", Meta: one.meta ? h("code", {}, pretty(one.meta)) : "–",
    }));
    fill(queue, h("h2", {}, "Queue and pings"), facts({
      "Waits to be sent": `${bytes(one.queued_bytes)} of ${one.queue_limit ? bytes(one.queue_limit) : "any number"}`,
      "Client takes data": one.write_blocked ? h("span", { class: "badge bad" }, "no, it is slow") : "yes",
      "Next ping": one.ping_in === null ? "none" : `in ${Math.max(0, one.ping_in)} s`,
      "Waiting for a pong": one.ping_outstanding ? `yes, ${one.closes_unless_pong_in} s left` : "no",
    }));
    const badge = (state) => h("span", { class: state === "live" ? "badge" : "badge wait" }, state);
    const rows = one.subscriptions.map((each) => [
      h("a", { href: channelLink(each.channel) }, each.channel), badge(each.state), `${each.source}${each.server_side ? ", server-side" : ""}`,
      each.positioned ? `${each.offset} in ${each.epoch}` : "–",
      [each.recovery && "recovery", each.delta && "delta", each.filtered && "filter", each.presence && "presence"].filter(Boolean).join(", ") || "–",
      moment(each.expire_at),
      h("button", { class: "danger", type: "button", onclick: act(`Unsubscribed from ${each.channel}.`, "unsubscribe", { channel: each.channel }) }, "Unsubscribe"),
    ]);
    fill(subscriptions, h("h2", {}, `Subscriptions (${count(rows.length)})`), table(["Channel", "State", "By", "Position", "With", "Expires", ""], rows, "It has no subscriptions."));
  }

  const refresh = () => act("Prolonged.", "refresh", { expire_at: Math.floor(Date.now() / 1000) + 3600 })();
  const timer = setInterval(() => document.hidden || document.activeElement?.closest("table") || look(), EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));
  await look();
}
