// How the server is: its nodes, and this node's vitals over time.

import { bytes, count, duration, field, fill, h, silence, table } from "./dom.js";
import { ask } from "./server.js";

const EVERY = 2000;
const SPAN = 450;

let uPlot;

const CHARTS = [
  { title: "Connections", lines: [["connections", 1]] },
  { title: "Subscriptions and channels", lines: [["subscriptions", 2], ["channels", 3]] },
  { title: "Messages per second", lines: [["sent", 7], ["publications", 8]], unit: "/s" },
  { title: "Event-loop lag", lines: [["longest, ms", 4]], unit: " ms" },
  { title: "CPU", lines: [["% of one core", 5]], unit: " %" },
  { title: "Memory", lines: [["resident", 6]], format: bytes },
];

export async function showOverview(place, _parameters, signal) {
  const figures = h("dl", { class: "figures" });
  const nodes = h("section", { class: "card" });
  const traffic = h("section", { class: "card", hidden: true });
  const choice = h("select", { onchange: () => turnTo(choice.value) });
  const charts = h("div", { class: "columns" });
  place.append(h("h1", {}, "Overview"), figures, nodes, traffic,
    h("div", { class: "head" }, h("p", { class: "small soft" }, "Charts are drawn while the page is open."), h("div", { class: "row" }, field("Charts of", choice))), charts);

  try {
    uPlot ??= (await import("./vendor/uPlot.esm.js")).default;
  } catch (error) {  // it refuses browsers whose language has an odd name; the numbers are there all the same
    charts.append(h("p", { class: "soft" }, `No charts in this browser: ${error.message}`));
  }

  let samples = [];
  let drawn = [];
  let since = 0;
  let shown = "";
  let looking = false;

  async function look() {
    if (looking) return;
    looking = true;
    try {
      const found = await ask("console/overview", { since: Math.round(since * 1000), node: shown }, signal);
      if (shown && found.shown !== shown) return;
      if (!found.nodes.some((node) => node.uid === found.shown)) return turnTo("");
      shown = found.shown;  // another node may answer next time
      samples.push(...found.samples);
      samples.splice(0, Math.max(0, samples.length - SPAN));
      since = samples.at(-1)?.[0] ?? since;
      showFigures(found);
      showNodes(found);
      showTraffic(traffic, found.nodes);
      offer(found);
      if (uPlot && !drawn.length && samples.length > 1) drawn = draw(charts, samples);
      for (const { chart, lines } of drawn) chart.setData(data(lines, samples));
    } finally {
      looking = false;
    }
  }

  function turnTo(node) {
    [shown, since, samples, drawn] = [node, 0, [], []];
    fill(charts);
    if (!looking) look().catch(() => {});
  }

  function offer({ nodes: all }) {
    if (choice.childElementCount === all.length && choice.value === shown) return;
    fill(choice, sorted(all).map((node) => h("option", { value: node.uid }, node.name)));
    choice.value = shown;
  }

  function showFigures({ nodes: all, vitals }) {
    const sum = (name) => all.reduce((total, node) => total + node[name], 0);
    const last = Object.values(vitals).map((each) => each.last).filter(Boolean);
    const told = {
      Nodes: count(all.length), Connections: count(sum("num_clients")), Users: count(sum("num_users")),
      Subscriptions: count(sum("num_subs")), Channels: count(sum("num_channels")),
      ...(last.some((each) => each[7] >= 0) ? { "Messages / s": count(Math.round(last.reduce((total, each) => total + Math.max(0, each[7]), 0))) } : {}),
      "Loop lag": last.length ? `${Math.max(...last.map((each) => each[4]))} ms` : "…",
      Memory: bytes(Object.values(vitals).reduce((total, each) => total + each.memory, 0)),
    };
    fill(figures, ...Object.entries(told).map(([name, value]) => h("div", { class: "figure" }, h("dt", {}, name), h("dd", {}, value))));
  }

  function showNodes({ nodes: all, vitals, silent }) {
    const rows = sorted(all).map((node) => [
      h("span", { title: node.uid }, node.name),
      node.version, duration(node.uptime), node.num_clients, node.num_users, node.num_subs, node.num_channels,
      vitals[node.uid]?.last ? `${vitals[node.uid].last[5]} %` : "–", vitals[node.uid] ? bytes(vitals[node.uid].memory) : "–",
    ]);
    fill(nodes, h("h2", {}, "Nodes"), silence(silent),
      table(["Name", "Version", "Uptime", "Connections", "Users", "Subscriptions", "Channels", "CPU", "Memory"], rows));
  }

  await look();
  const timer = setInterval(() => {
    if (!document.hidden) look().catch(() => {});
  }, EVERY);
  const resize = new ResizeObserver(() => drawn.forEach(({ chart, box }) => chart.setSize({ width: box.clientWidth, height: 150 })));
  resize.observe(charts);
  const restyle = () => {
    if (drawn.length) drawn = draw(charts, samples);
  };
  document.addEventListener("themechange", restyle, { signal });
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    resize.disconnect();
  });
}

const sorted = (nodes) => [...nodes].sort((a, b) => b.uptime - a.uptime);

const data = (lines, samples) => [samples.map((sample) => sample[0]), ...lines.map(([, index]) => samples.map((sample) => sample[index]))];

/** What the nodes' last snapshots of their metrics say, per second. */
function showTraffic(place, nodes) {
  const rows = sorted(nodes).filter((node) => node.metrics?.interval).map((node) => {
    const { items, interval } = node.metrics;
    const sum = (part) => Object.entries(items).reduce((total, [name, value]) => (name.includes(part) ? total + value : total), 0);
    const rate = (part) => Number((sum(part) / interval).toFixed(sum(part) < 10 * interval ? 1 : 0));
    return [
      node.name, rate(".transport.messages_received.frame_type."), rate(".transport.messages_sent.frame_type."),
      rate(".client.command_duration_seconds.count.method.connect"), rate(".client.command_duration_seconds.count.method.subscribe"),
      rate(".api.command_duration_seconds.count.method."), rate(".node.messages_sent_count.type.publication"), software(items),
    ];
  });
  place.hidden = !rows.length;
  if (!rows.length) return;
  const seconds = nodes.find((node) => node.metrics?.interval).metrics.interval;
  fill(place, h("div", { class: "head" }, h("h2", {}, "Per second"), h("p", { class: "small soft" }, `over the last ${seconds} s that were summed up`)),
    table(["Node", "Frames in", "Frames out", "Connects", "Subscribes", "API calls", "Publications", "Connections by software and transport"], rows));
}

/** How many connections there are of which client software and transport. */
function software(items) {
  const found = Object.entries(items).filter(([name, value]) => value && name.includes(".client.connections_inflight."));
  const part = (name, label) => name.match(new RegExp(`\\.${label}\\.(.*?)(?:\\.(?:client_version|accept_protocol|transport|app_)|$)`))?.[1] ?? "–";
  return found.map(([name, value]) => `${part(name, "client_name")} by ${part(name, "transport")}: ${count(value)}`).join(", ") || "–";
}

function draw(place, samples) {
  fill(place);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const strokes = [colour("--accent"), colour("--wait")];
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  return CHARTS.filter(({ lines }) => samples.at(-1)[lines[0][1]] >= 0).map(({ title, lines, unit = "", format }) => {
    const shown = (value) => (value === null || value === undefined ? "–" : format ? format(value) : count(value) + unit);
    const box = h("div", { class: "chart" });
    place.append(h("section", { class: "card", "aria-label": title }, h("h2", {}, title), box));
    const chart = new uPlot({
      width: box.clientWidth, height: 150, cursor: { points: { size: 6 } },
      scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.1, low === 0 ? 1 : 0.1)] } },
      axes: [axis, { ...axis, size: 58, values: (_, ticks) => ticks.map((tick) => (format ? format(tick) : count(tick))) }],
      series: [{ value: (_, at) => (at ? new Date(at * 1000).toLocaleTimeString() : "–") },
        ...lines.map(([label], index) => ({ label, stroke: strokes[index], width: 2, fill: index ? undefined : strokes[0] + "22", value: (_, value) => shown(value), points: { show: false } }))],
    }, data(lines, samples), box);
    return { chart, lines, box };
  });
}
