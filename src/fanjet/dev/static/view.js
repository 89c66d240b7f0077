// What the visitor sees. Everything that comes from the network is set as text, never as markup.

import { hue } from "./names.js";

const KEPT = 200;
const $ = (id) => document.getElementById(id);

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

// Add a line and drop the oldest beyond what is kept; stay at the end unless the visitor has scrolled up.
function append(list, item) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.append(item);
  while (list.childElementCount > KEPT) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

export function showStatus(state, text) {
  $("status").dataset.state = state;
  $("status-text").textContent = text;
  document.title = `Fanjet: ${state}`;
}

export function showSubscription(text, tone = "") {
  $("subscription").textContent = text;
  $("subscription").className = `hint ${tone}`;
}

export function showRecovery(text, tone = "") {
  $("recovery").textContent = text;
  $("recovery").className = `hint ${tone}`;
}

export function showMessage({ author, text, offset, recovered }) {
  const item = element("li", "", recovered ? "recovered" : "");
  item.style.setProperty("--hue", hue(author));
  const head = element("span", author, "author");
  if (recovered) head.append(element("span", "recovered", "badge"));
  item.append(head, element("span", offset ? `#${offset}` : "", "offset"), element("p", text, "body"));
  append($("messages"), item);
}

export function clearMessages() {
  $("messages").replaceChildren();
}

export function showPresence(people) {
  $("count").textContent = people.length;
  $("presence").replaceChildren(
    ...people.map(({ name, me }) => {
      const item = element("li", me ? `${name} (you)` : name, me ? "me" : "");
      item.style.setProperty("--hue", hue(name));
      return item;
    }),
  );
}

export function showEvent(text) {
  const time = new Date().toLocaleTimeString([], { hour12: false });
  append($("events"), element("li", `${time} ${text}`));
}

export function showCurl(channel) {
  const body = JSON.stringify({ channel, data: { from: "curl", text: "Hello from the shell" } });
  const quoted = body.replaceAll("'", "'\\''");
  $("curl").textContent = `curl -d '${quoted}' ${location.origin}/api/publish`;
}

export function showChannel(channel) {
  $("channel").value = channel;
  $("second-tab").href = `/#${encodeURIComponent(channel)}`;
  showCurl(channel);
}

export async function copyCurl() {
  await navigator.clipboard.writeText($("curl").textContent);
  $("copy").textContent = "Copied";
  setTimeout(() => ($("copy").textContent = "Copy"), 1500);
}
