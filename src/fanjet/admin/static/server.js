// What the console asks the server. All paths are relative to the page, so that it works behind any prefix.

import { accessToken, forgetTokens, renew } from "./oidc.js";

const KEPT = "fanjet.console.token";
const BASE = location.pathname.replace(/[^/]*$/, "");

/** How one logs in where that is not by password; see oidc.js. */
let oidc = null;

/** Called when the server does not take the login any more. */
let forgotten = () => {};
export const onForgotten = (listener) => (forgotten = listener);

export const hasToken = () => localStorage.getItem(KEPT) !== null;

/** Log out. What a provider knows of the login is its business. */
export async function logOut() {
  localStorage.removeItem(KEPT);
  forgetTokens();
  if (oidc && !oidc.pkce) await request("admin/logout", { method: "POST" });
}

export class Failure extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

function headers() {
  const access = oidc?.pkce ? accessToken() : undefined;
  if (access) return { Authorization: `Bearer ${access}` };
  const token = localStorage.getItem(KEPT);
  return token === null ? {} : { Authorization: `token ${token}` };
}

async function request(path, options = {}, again = false) {
  let answer;
  try {
    answer = await fetch(BASE + path, { ...options, headers: { ...headers(), ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The server cannot be reached.");
  }
  if (answer.status === 401) {
    if (!again && await renew(oidc)) return request(path, options, true);
    localStorage.removeItem(KEPT);
    forgetTokens();
    forgotten();
    throw new Failure("Unauthorized", 401);
  }
  if (answer.status === 403) throw new Failure("Permission denied", 403);
  return answer;
}

/** What has to be known first: whether one is logged in, and how one logs in. */
export async function init() {
  const state = await (await request("admin/init")).json();
  oidc = state.oidc ?? null;
  if (oidc?.pkce && !state.authenticated && accessToken()) {
    if (await renew(oidc)) return init();
    forgetTokens();
  }
  return state;
}

/** Log in. Returns what went wrong, nothing when all went well. */
export async function logIn(password) {
  const answer = await fetch(`${BASE}admin/auth`, { method: "POST", body: new URLSearchParams({ password }) });
  if (answer.status === 429) return "Too many wrong passwords. The right one still works.";
  if (!answer.ok) return "Wrong password.";
  localStorage.setItem(KEPT, (await answer.json()).token);
}

/** Ask one of the console's own questions. */
export async function ask(path, parameters = {}, signal = undefined) {
  const given = parameters instanceof URLSearchParams ? parameters : Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "");
  const answer = await request(`admin/${path}?${new URLSearchParams(given)}`, { signal });
  const found = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
  if (!answer.ok) throw new Failure(found.error);
  return found;
}

/** Call a method of the server API: its result, or a Failure with the API's error. */
export async function call(method, params = {}) {
  const reply = await callRaw(method, params);
  if (reply.error) throw new Failure(`${reply.error.message} (${reply.error.code})`);
  return reply.result;
}

/** Call a method of the server API: its whole reply. */
export async function callRaw(method, params) {
  const answer = await request("admin/api", { method: "POST", body: JSON.stringify({ method, params }) });
  if (!answer.ok) throw new Failure(`status ${answer.status}: ${(await answer.text()).trim()}`);
  return answer.json();
}

/** Listen to events until the signal aborts. Raises Failure when they cannot be had. */
export async function listen(type, entity, signal, onEvent) {
  const answer = await request("admin/trace", { method: "POST", body: JSON.stringify({ type, entity }), signal });
  if (!answer.ok) throw new Failure((await answer.json().catch(() => ({}))).error ?? `status ${answer.status}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const event = line && JSON.parse(line);
      if (event) onEvent(event);
    }
  }
}

/** Ask a question that should stand in no log of addresses. */
export async function wish(path, parameters) {
  const answer = await request(`admin/${path}`, { method: "POST", body: new URLSearchParams(parameters) });
  const found = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
  if (!answer.ok) throw new Failure(found.error);
  return found;
}
