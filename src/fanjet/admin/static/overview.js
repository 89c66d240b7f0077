// How the server is: its nodes, and this node's vitals over time.

import { bytes, count, duration, fill, h, table } from "./dom.js";
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
  const charts = h("div", { class: "columns" });
  place.append(h("div", { class: "head" }, h("h1", {}, "Overview"), h("p", { class: "small" }, "Charts show this node while the page is open.")), figures, nodes, charts);

  try {
    uPlot ??= (await import("./vendor/uPlot.esm.js")).default;
  } catch (error) {  // it refuses browsers whose language has an odd name; the numbers are there all the same
    charts.append(h("p", { class: "soft" }, `No charts in this browser: ${error.message}`));
  }

  const samples = [];
  let drawn = [];
  let since = 0;

  async function look() {
    const found = await ask("console/overview", { since: Math.round(since * 1000) }, signal);
    samples.push(...found.samples);
    samples.splice(0, Math.max(0, samples.length - SPAN));
    since = samples.at(-1)?.[0] ?? since;
    showFigures(found);
    showNodes(found);
    if (uPlot && !drawn.length && samples.length > 1) drawn = draw(charts, samples);
    for (const { chart, lines } of drawn) chart.setData(data(lines, samples));
  }

  function showFigures({ nodes: all, memory }) {
    const sum = (name) => all.reduce((total, node) => total + node[name], 0);
    const last = samples.at(-1);
    const shown = {
      Nodes: count(all.length), Connections: count(sum("num_clients")), Users: count(sum("num_users")),
      Subscriptions: count(sum("num_subs")), Channels: count(sum("num_channels")),
      ...(last && last[7] >= 0 ? { "Messages / s": count(last[7]) } : {}),
      "Loop lag": last ? `${last[4]} ms` : "…", Memory: bytes(memory),
    };
    fill(figures, ...Object.entries(shown).map(([name, value]) => h("div", { class: "figure" }, h("dt", {}, name), h("dd", {}, value))));
  }

  function showNodes({ node: own, nodes: all }) {
    const rows = [...all].sort((a, b) => b.uptime - a.uptime).map((node) => [
      h("span", { title: node.uid }, node.name, node.uid === own && [" ", h("span", { class: "badge" }, "this one")]),
      node.version, duration(node.uptime), node.num_clients, node.num_users, node.num_subs, node.num_channels,
    ]);
    fill(nodes, h("h2", {}, "Nodes"), table(["Name", "Version", "Uptime", "Connections", "Users", "Subscriptions", "Channels"], rows));
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

const data = (lines, samples) => [samples.map((sample) => sample[0]), ...lines.map(([, index]) => samples.map((sample) => sample[index]))];

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
