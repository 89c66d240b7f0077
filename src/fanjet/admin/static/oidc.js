// Logins by an OpenID Connect provider. `oidc` is what the server's `admin/init` tells of it. With `pkce` this page gets
// the tokens and keeps them for as long as its tab is open; else the server does, and keeps a cookie.

const TOKENS = "fanjet.console.oidc";
const LEFT = "fanjet.console.oidc.left";
const LAPSED = "fanjet.console.oidc.lapsed";
const EARLY = 30_000;
const PAUSE = 10_000;

const PROBLEMS = {
  access: "You may not use this console.",
  refused: "The provider refused the login.",
  stale: "The login took too long, or was begun in another browser. Please try again.",
  token: "The provider's answer is not valid; the server's log tells why.",
  provider: "The provider cannot be reached; the server's log tells why.",
  browser: "The provider's answer could not be taken.",
};

let renewal;
let renewedAt = 0;

const kept = (name) => JSON.parse(sessionStorage.getItem(name) ?? "null");
const keep = (name, value) => sessionStorage.setItem(name, JSON.stringify(value));

export const accessToken = () => kept(TOKENS)?.access;

export function forgetTokens() {
  clearTimeout(renewal);
  sessionStorage.removeItem(TOKENS);
}

/** Go to the provider, to come back to this screen. Raises when the provider cannot be asked where to go. */
export async function leaveFor(oidc) {
  const hash = location.hash.startsWith("#/login") ? "" : location.hash;
  if (!oidc.pkce) {
    if (!oidc.auth_url) throw new Error(PROBLEMS.provider);
    keep(LEFT, { hash });
    location.assign(oidc.auth_url);
    return;
  }
  if (!globalThis.crypto?.subtle) throw new Error("Logins by this provider need HTTPS.");
  const { authorization_endpoint: endpoint } = await description(oidc);
  const [state, nonce, verifier] = [random(), random(), random() + random()];
  keep(LEFT, { hash, state, nonce, verifier });
  const address = new URL(endpoint);
  const asked = {
    response_type: "code", client_id: oidc.client_id, redirect_uri: oidc.redirect_uri, scope: oidc.scope,
    state, nonce, code_challenge: await challenge(verifier), code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(asked)) address.searchParams.set(name, value);
  location.assign(address);
}

/** Take what the provider, or the server, has sent this page back with. Returns what went wrong, if anything did. */
export async function arrive(oidc) {
  const left = kept(LEFT);
  const failed = location.hash.match(/^#\/login\?problem=(\w+)/);
  const brought = new URLSearchParams(location.search);
  const isAnswer = oidc.pkce && brought.has("state") && (brought.has("code") || brought.has("error"));
  if (!isAnswer && !failed && (!left || oidc.pkce)) return scheduleRenewal(oidc);
  sessionStorage.removeItem(LEFT);
  history.replaceState(null, "", location.pathname + (left?.hash || "#/"));
  if (failed) return PROBLEMS[failed[1]] ?? PROBLEMS.provider;
  if (isAnswer) return take(oidc, left, brought);
}

async function take(oidc, left, brought) {
  if (brought.get("state") !== left?.state) return PROBLEMS.stale;
  if (brought.has("error")) return PROBLEMS.refused;
  try {
    const tokens = await askForTokens(oidc, {
      grant_type: "authorization_code", code: brought.get("code"), redirect_uri: oidc.redirect_uri, code_verifier: left.verifier,
    });
    if (tokens.id_token && claims(tokens.id_token).nonce !== left.nonce) return PROBLEMS.browser;
    keepTokens(oidc, tokens);
  } catch {
    return PROBLEMS.browser;
  }
}

/** Get new tokens without asking anybody. Whether there are any. */
export async function renew(oidc) {
  const refresh = kept(TOKENS)?.refresh;
  if (!oidc?.pkce || !refresh || Date.now() - renewedAt < PAUSE) return false;
  renewedAt = Date.now();
  try {
    keepTokens(oidc, { refresh_token: refresh, ...(await askForTokens(oidc, { grant_type: "refresh_token", refresh_token: refresh })) });
    return true;
  } catch {
    return false;
  }
}

/** Whether a login that has lapsed may be made good by going to the provider at once: not again and again. */
export function mayLeaveUnasked() {
  const recently = Date.now() - (kept(LAPSED) ?? 0) < PAUSE;
  keep(LAPSED, Date.now());
  return !recently;
}

function keepTokens(oidc, tokens) {
  keep(TOKENS, { access: tokens.access_token, refresh: tokens.refresh_token, until: Date.now() + (tokens.expires_in ?? 300) * 1000 });
  scheduleRenewal(oidc);
}

function scheduleRenewal(oidc) {
  const tokens = kept(TOKENS);
  clearTimeout(renewal);
  if (tokens?.refresh) renewal = setTimeout(() => renew(oidc), Math.max(1000, tokens.until - Date.now() - EARLY));
}

async function description(oidc) {
  const answer = await fetch(`${oidc.authority.replace(/\/$/, "")}/.well-known/openid-configuration`).catch(() => null);
  if (!answer?.ok) throw new Error("The provider cannot be reached.");
  return answer.json();
}

async function askForTokens(oidc, form) {
  const { token_endpoint: endpoint } = await description(oidc);
  const answer = await fetch(endpoint, { method: "POST", body: new URLSearchParams({ client_id: oidc.client_id, ...form }) });
  const tokens = await answer.json();
  if (!answer.ok || !tokens.access_token) throw new Error(tokens.error);
  return tokens;
}

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(24)));
const challenge = async (verifier) => base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
const claims = (token) => JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
