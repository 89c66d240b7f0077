// The screens in the order in which they are listed. A screen fills its place, and stops when the signal aborts.

import { showApi } from "./api.js";
import { showChannels } from "./channels.js";
import { showOverview } from "./overview.js";

export const SCREENS = [
  { path: "", title: "Overview", show: showOverview },
  { path: "channels", title: "Channels", show: showChannels },
  { path: "api", title: "API", show: showApi },
];
