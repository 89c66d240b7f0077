// The frame around the screens: which one is shown, the login, the theme.

import { h, note } from "./dom.js";
import { ask, hasToken, init, logIn, logOut, onForgotten } from "./server.js";
import { apply, choose, theme } from "./theme.js";
import { arrive, leaveFor, mayLeaveUnasked } from "./oidc.js";
import { OTHER_NAMES, SCREENS } from "./screens.js";

const FRESH_ADDRESS = 30_000;

const main = document.querySelector("#main");
const nav = document.querySelector("#nav");
const logout = document.querySelector("#logout");
const themes = document.querySelector("#theme");

let leaving = new AbortController();
let screens = SCREENS;
let entered = false;
let provider = null;

/** The screen that the address names, and its parameters. */
function addressed() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const given = path.replace(/^\//, "").split("/")[0];
  const parameters = new URLSearchParams(query);
  const name = given === "inspector" && parameters.has("channel") ? "channels" : OTHER_NAMES[given] ?? given;
  return [screens.find((screen) => screen.path === name) ?? screens[0], parameters];
}

/** Leave what is shown. Returns the signal that ends what comes in its place. */
function leave() {
  leaving.abort();
  leaving = new AbortController();
  return leaving.signal;
}

/** Show the addressed screen in a place of its own: what an old one still adds to its place, nobody sees. */
async function show() {
  const signal = leave();
  const [screen, parameters] = addressed();
  const place = h("div", { class: "screen" });
  nav.replaceChildren(...screens.map((each) =>
    h("a", { href: `#/${each.path}`, "aria-current": each === screen && "page" }, each.title)));
  nav.querySelector("[aria-current]").scrollIntoView({ block: "nearest", inline: "center" });
  document.title = `${screen.title} · Fanjet console`;
  main.replaceChildren(place);
  try {
    await screen.show(place, parameters, signal);
  } catch (error) {
    if (!signal.aborted) place.append(h("p", { class: "card bad-text" }, error.message));
  }
}

function showLogin(form) {
  const signal = leave();
  entered = false;
  nav.replaceChildren();
  logout.hidden = true;
  document.title = "Log in · Fanjet console";
  main.replaceChildren(form);
  return signal;
}

function showPasswordLogin() {
  const password = h("input", { type: "password", autocomplete: "current-password", required: true, id: "password" });
  const problem = h("p", { class: "bad-text", role: "alert" });
  const button = h("button", {}, "Log in");
  showLogin(h("form", { class: "card login", onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    problem.textContent = "";
    try {
      const wrong = await logIn(password.value);
      if (!wrong) return await begin();
      problem.textContent = wrong;
      password.select();
    } catch {
      problem.textContent = "The server cannot be reached.";
    } finally {
      button.disabled = false;
    }
  } }, h("h1", {}, "Log in"), h("label", { class: "field", for: "password" }, "Password", password), button, problem));
  password.focus();
}

/** The provider's address is asked for anew all the time: it holds what must not be old. */
function showProviderLogin(oidc, wrong) {
  const problem = h("p", { class: "bad-text", role: "alert" }, wrong);
  const button = h("button", { type: "button", onclick: () => leaveFor(oidc).catch((error) => { problem.textContent = error.message; }) }, oidc.display_name);
  const signal = showLogin(h("section", { class: "card login" }, h("h1", {}, "Log in"), button, problem));
  const timer = setInterval(async () => {
    oidc = (await init().catch(() => ({}))).oidc ?? oidc;
  }, FRESH_ADDRESS);
  signal.addEventListener("abort", () => clearInterval(timer));
  button.focus();
}

async function begin() {
  const signal = leave();
  try {
    let state = await init();
    const wrong = state.oidc ? await arrive(state.oidc) : "";
    if (state.oidc?.pkce && !state.authenticated && !wrong) state = await init();
    if (signal.aborted) return;
    if (!state.authenticated) return state.oidc ? showProviderLogin(state.oidc, wrong ?? "") : showPasswordLogin();
    provider = state.insecure ? null : state.oidc ?? null;
    logout.hidden = !hasToken() && !provider;
    const features = await ask("console/features", {}, signal);
    screens = SCREENS.filter(({ feature }) => !feature || features[feature]);
  } catch (error) {
    if (signal.aborted) return;
    main.replaceChildren(h("p", { class: "card bad-text" }, error.message),
      h("button", { class: "quiet", type: "button", onclick: begin }, "Try again"));
    return;
  }
  if (signal.aborted) return;
  entered = true;
  await show();
}

logout.addEventListener("click", async () => {
  await logOut().catch((error) => note(error.message, true));
  begin();
});
onForgotten(async () => {
  const again = entered && provider && mayLeaveUnasked();
  entered = false;
  if (!again) {
    note("Your login has expired.", true);
    return begin();
  }
  try {
    const state = await init();
    await (state.authenticated ? begin() : leaveFor(state.oidc));
  } catch {
    begin();
  }
});
addEventListener("hashchange", () => {
  entered ? show() : begin();
  main.focus({ preventScroll: true });
});

themes.addEventListener("change", () => choose({ theme: themes.value }));
document.addEventListener("themechange", () => { themes.value = theme(); });
apply();
begin();
