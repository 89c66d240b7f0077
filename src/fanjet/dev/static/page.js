// The page of `fanjet dev`: one connection of the real SDK, one channel, and what happens to them.

import { Line } from "./line.js";
import { ownName } from "./names.js";
import * as view from "./view.js";

const AWAY_SECONDS = 5;
const $ = (id) => document.getElementById(id);

const me = ownName();
const line = new Line();
const namesByClient = new Map();
let ownClient = "";
let subscription = null;

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const connection = new Centrifuge(`${scheme}//${location.host}/connection/websocket`, {
  name: "fanjet-dev",
  websocket: line.socketClass,
  minReconnectDelay: 200,
  maxReconnectDelay: 1000,
});

connection.on("connecting", ({ code, reason }) => {
  view.showStatus("connecting", code === 0 ? "connecting" : `connecting again: ${reason}`);
  view.showEvent(`connecting, code ${code}, ${reason}`);
});
connection.on("connected", ({ client, transport }) => {
  ownClient = client;
  namesByClient.set(client, me);
  view.showStatus("connected", `connected as ${me}`);
  view.showEvent(`connected over ${transport}, client ${client}`);
});
connection.on("disconnected", ({ code, reason }) => {
  view.showStatus("disconnected", `disconnected: ${reason} (${code})`);
  view.showEvent(`disconnected, code ${code}, ${reason}`);
});
connection.on("error", ({ error }) => view.showEvent(`error ${error.code}, ${error.message}`));

function enter(channel) {
  leave();
  view.showChannel(channel);
  view.clearMessages();
  view.showPresence([]);
  view.showSubscription("subscribing");
  // `since` an empty position asks for what history still holds.
  subscription = connection.newSubscription(channel, { recoverable: true, joinLeave: true, since: { offset: 0, epoch: "" } });
  listen(subscription, channel);
  subscription.subscribe();
}

function leave() {
  if (subscription === null) return;
  subscription.removeAllListeners();
  subscription.unsubscribe();
  connection.removeSubscription(subscription);
  subscription = null;
}

function listen(current, channel) {
  // What an answer to "subscribe" brings along is delivered in the same turn of the event loop; what comes later is live.
  let recovering = false;
  let visits = 0;
  current.on("subscribing", ({ code, reason }) => view.showEvent(`subscribing to ${channel}, code ${code}, ${reason}`));
  current.on("subscribed", ({ streamPosition, recovered }) => {
    visits += 1;
    recovering = visits > 1;
    setTimeout(() => (recovering = false));
    view.showSubscription(`subscribed, epoch ${streamPosition?.epoch ?? "none"}`, "good");
    view.showEvent(`subscribed to ${channel}, recovered: ${recovered}`);
    if (visits > 1) tellRecovery(recovered);
    countPeople(current);
  });
  current.on("unsubscribed", ({ code, reason }) => {
    view.showSubscription(`not subscribed: ${reason} (${code})`, "bad");
    view.showEvent(`unsubscribed from ${channel}, code ${code}, ${reason}`);
  });
  current.on("publication", (publication) => {
    const { author, text } = readable(publication);
    if (publication.info) namesByClient.set(publication.info.client, author);
    view.showMessage({ author, text, offset: publication.offset, recovered: recovering });
    if (publication.info) countPeople(current);
  });
  current.on("join", ({ info }) => {
    view.showEvent(`${info.client} joined ${channel}`);
    countPeople(current);
  });
  current.on("leave", ({ info }) => {
    view.showEvent(`${info.client} left ${channel}`);
    countPeople(current);
  });
  current.on("error", ({ error }) => view.showEvent(`subscription error ${error.code}, ${error.message}`));
}

// Messages of this page have `from` and `text`; anything else is shown as the JSON that it is.
function readable({ data, info }) {
  if (typeof data?.from === "string" && typeof data?.text === "string") return { author: data.from, text: data.text };
  return { author: info ? `client ${info.client.slice(0, 8)}` : "server API", text: JSON.stringify(data) };
}

async function countPeople(current) {
  let clients;
  try {
    clients = Object.keys((await current.presence()).clients);
  } catch (error) {
    view.showEvent(`presence: ${error.message}`);
    return;
  }
  if (current !== subscription) return;
  const people = clients.map((client) => ({
    name: namesByClient.get(client) ?? client.slice(0, 8),
    me: client === ownClient,
  }));
  view.showPresence(people.sort((a, b) => b.me - a.me || a.name.localeCompare(b.name)));
}

function tellRecovery(recovered) {
  if (recovered) view.showRecovery("Back, and every missed message is here.", "good");
  else view.showRecovery("Back, but history no longer holds all that was missed.", "bad");
}

async function publishFromBackend(channel) {
  for (const count of ["one", "two", "three"]) {
    const data = { from: "backend", text: `You were away: message ${count} of three` };
    await fetch("/api/publish", { method: "POST", body: JSON.stringify({ channel, data }) });
  }
}

async function goOffline() {
  const button = $("offline");
  button.disabled = true;
  line.cut();
  view.showRecovery("Offline.");
  if ($("meanwhile").checked && subscription) await publishFromBackend(subscription.channel);
  for (let left = AWAY_SECONDS; left > 0; left -= 1) {
    view.showRecovery(`Offline, back in ${left} s.`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  line.mend();
  view.showRecovery("Connecting again.");
  button.disabled = false;
}

$("publish-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value;
  try {
    await subscription.publish({ from: me, text });
    if ($("text").value === text) $("text").value = "";
  } catch (error) {
    view.showSubscription(`not published: ${error.message} (${error.code})`, "bad");
  }
});
$("channel-form").addEventListener("submit", (event) => {
  event.preventDefault();
  location.hash = encodeURIComponent($("channel").value);
  if (chosen() === subscription?.channel) enter(chosen());
});
$("offline").addEventListener("click", goOffline);
$("copy").addEventListener("click", view.copyCurl);

const chosen = () => decodeURIComponent(location.hash.slice(1)) || "lobby";
window.addEventListener("hashchange", () => {
  if (chosen() !== subscription?.channel) enter(chosen());
});

connection.connect();
enter(chosen());
