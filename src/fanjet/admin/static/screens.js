// The screens in the order in which they are listed. A screen fills its place, and stops when the signal aborts.

import { showApi } from "./api.js";
import { showChannels } from "./channels.js";
import { showConfiguration } from "./configuration.js";
import { showConnections } from "./connections.js";
import { showOverview } from "./overview.js";
import { showSettings } from "./settings.js";
import { showTokens } from "./tokens.js";
import { showTrace } from "./trace.js";
import { showWhy } from "./why.js";

/** `feature`: what the server must have for a screen to be shown. */
export const SCREENS = [
  { path: "", title: "Overview", show: showOverview },
  { path: "channels", title: "Channels", show: showChannels },
  { path: "connections", title: "Connections", show: showConnections },
  { path: "trace", title: "Trace", show: showTrace },
  { path: "why", title: "Why?", show: showWhy },
  { path: "api", title: "API", show: showApi },
  { path: "tokens", title: "Tokens", show: showTokens, feature: "tokens" },
  { path: "configuration", title: "Configuration", show: showConfiguration },
  { path: "settings", title: "Settings", show: showSettings },
];

/** Addresses of Centrifugo's console, for those who have kept links to it. */
export const OTHER_NAMES = { status: "", actions: "api", tracing: "trace", inspector: "connections", about: "settings" };
