// How the console looks, as this browser wants it.

const THEME = "fanjet.console.theme";
const ACCENT = "fanjet.console.accent";
export const ACCENTS = ["teal", "indigo", "rose", "amber", "slate"];

const dark = matchMedia("(prefers-color-scheme: dark)");

export const theme = () => localStorage.getItem(THEME) ?? "";
export const accent = () => localStorage.getItem(ACCENT) ?? ACCENTS[0];

export function choose({ theme: newTheme = theme(), accent: newAccent = accent() }) {
  localStorage.setItem(THEME, newTheme);
  localStorage.setItem(ACCENT, newAccent);
  apply();
}

/** Show what was chosen; charts, which have their colours in them, are told. */
export function apply() {
  const root = document.documentElement;
  root.toggleAttribute("data-dark", theme() === "dark" || (theme() === "" && dark.matches));
  root.setAttribute("data-accent", accent());
  document.dispatchEvent(new Event("themechange"));
}

dark.addEventListener("change", apply);
