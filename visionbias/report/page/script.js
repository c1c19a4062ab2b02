// SPDX-FileCopyrightText: visionbias contributors
// SPDX-License-Identifier: Apache-2.0
// Draws the figures, follows choices, the color scheme and the printer, and sorts tables.
"use strict";

const NARROW = 620; // pixels
const PAGE = 660; // width of a figure in print, pixels
const SCALES = 110; // room for the names of a heat map's rows, pixels
const CELL = 34; // least width of a cell that holds a number, pixels
const specs = JSON.parse(document.getElementById("specs").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
let printing = false;

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function merged(base, over) {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    result[key] = isObject(value) && isObject(result[key]) ? merged(result[key], value) : value;
  }
  return result;
}

const escaped = (name) => name.replace(/[&<>"'%]/g, (c) => `&#${c.charCodeAt(0)};`);

function themed(layout) {
  const onDark = dark.matches && !printing;
  const ink = onDark ? "#e6e9ec" : "#1b1f24";
  const rule = onDark ? "#333a42" : "#d8dee4";
  const theme = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, size: 13, family: getComputedStyle(document.body).fontFamily },
    margin: { l: 60, r: 20, t: 32, b: 55 },
    hoverlabel: { align: "left" },
    xaxis: {},
    yaxis: {},
  };
  const whole = merged(theme, layout);
  for (const key of Object.keys(whole).filter((name) => /^[xy]axis/.test(name))) {
    whole[key] = merged({ gridcolor: rule, zerolinecolor: rule, linecolor: rule, automargin: true }, whole[key]);
  }
  return whole;
}

// Lengths of error bars; Plotly draws none where there is no number.
function gaps(ends, starts, rows) {
  return rows.map((row) => (ends[row] === null || starts[row] === null ? null : ends[row] - starts[row]));
}

// A scatter plot of two of the columns: each trace shows the rows in its meta.
function scatter(spec, x, y, width) {
  const { columns, low, high, titles, stamps } = spec.axes;
  const errors = (name, rows, color) =>
    low[name] && high[name]
      ? {
          array: gaps(high[name], columns[name], rows),
          arrayminus: gaps(columns[name], low[name], rows),
          color: `${color}80`, // half transparent
          thickness: 1,
          width: 0,
        }
      : {};
  const data = Object.values(spec.views)[0].data.map((trace) => ({
    ...trace,
    x: trace.meta.map((row) => columns[x][row]),
    y: trace.meta.map((row) => columns[y][row]),
    error_x: errors(x, trace.meta, trace.marker.color),
    error_y: errors(y, trace.meta, trace.marker.color),
    hovertemplate: `%{text}<br>${escaped(x)}: %{x:.3f}<br>${escaped(y)}: %{y:.3f}<extra></extra>`,
  }));
  const layout = {
    title: { text: [titles[y][x], ...new Set([stamps[y], stamps[x]])].filter(Boolean).join("<br>"), font: { size: width < NARROW ? 13 : 15 } },
    xaxis: { title: { text: escaped(x) } },
    yaxis: { title: { text: escaped(y) } },
  };
  return { data, layout };
}

// On narrow screens the legend stands below the plot, in as many columns as its names leave room for.
function withLegendBelow(layout, data, width) {
  const names = data.filter((trace) => trace.showlegend !== false).map((trace) => trace.name ?? "");
  const margin = { l: 45, r: 8, ...layout.margin };
  if (layout.showlegend === false || names.length < 2) return { ...layout, margin };
  const columns = Math.max(1, Math.floor(width / (50 + 7.5 * Math.max(...names.map((name) => name.length)))));
  const room = 20 * Math.min(12, Math.ceil(names.length / columns)) + 10;
  return {
    ...layout,
    height: layout.height + room,
    margin: { ...margin, b: 55 + room },
    legend: { orientation: "h", x: 0, y: 0, yref: "container", yanchor: "bottom", maxheight: room },
  };
}

// On narrow screens names and numbers that would lie over each other are left to hover and table.
function withoutCrowding(trace, width) {
  const crowded = trace.type === "heatmap" && (width - SCALES) / trace.x.length < CELL;
  if (crowded) return { ...trace, texttemplate: "" };
  return trace.mode === "markers+text" ? { ...trace, mode: "markers" } : trace;
}

function draw(element) {
  const id = element.dataset.figure;
  const spec = specs[id];
  const chosen = (attribute) => document.querySelector(`select[data-figure="${id}"][${attribute}]`);
  const width = printing ? PAGE : element.clientWidth;
  const view = spec.axes
    ? scatter(spec, chosen('data-axis="x"').value, chosen('data-axis="y"').value, width)
    : spec.views[chosen("data-view")?.value ?? Object.keys(spec.views)[0]];
  if (!view) return undefined;
  let layout = merged(spec.layout, view.layout ?? {});
  let data = view.data;
  if (width < NARROW) {
    layout = withLegendBelow(merged(layout, spec.narrow), data, width);
    data = data.map((trace) => withoutCrowding(trace, width));
  }
  if (printing) layout.width = PAGE;
  const config = {
    responsive: true,
    displaylogo: false,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: { format: "svg", filename: id },
  };
  return Plotly.react(element, data, themed(layout), config);
}

const plots = [...document.querySelectorAll(".plot")];
const drawAll = () => Promise.all(plots.map(draw));

for (const select of document.querySelectorAll("select[data-figure]")) {
  select.addEventListener("change", () => draw(document.querySelector(`.plot[data-figure="${select.dataset.figure}"]`)));
}

for (const [column, head] of [...document.querySelectorAll(".sortable thead")].flatMap((head) => [
  ...head.querySelectorAll("th").entries(),
])) {
  head.querySelector("button").addEventListener("click", () => {
    const rising = head.getAttribute("aria-sort") !== "ascending";
    const body = head.closest("table").tBodies[0];
    const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const missing = (row) => row.cells[column].textContent.trim() === "–";
    const order = (a, b) =>
      missing(a) - missing(b) || (rising ? 1 : -1) * key(a).localeCompare(key(b), "en", { numeric: true });
    const numeric = (a, b) => missing(a) - missing(b) || (rising ? 1 : -1) * (key(a) - key(b));
    const rows = [...body.rows];
    const numbers = rows.some((row) => row.cells[column].dataset.value !== undefined);
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    body.append(...rows.sort(numbers ? numeric : order));
  });
}

const isNarrow = () => plots.some((plot) => plot.clientWidth < NARROW);
let wasNarrow = isNarrow();
addEventListener("resize", () => {
  const narrow = isNarrow();
  if (narrow !== wasNarrow) drawAll();
  wasNarrow = narrow;
});
dark.addEventListener("change", drawAll);
addEventListener("beforeprint", () => {
  printing = true;
  drawAll();
});
addEventListener("afterprint", () => {
  printing = false;
  drawAll();
});
drawAll().then(() => {
  document.body.dataset.drawn = plots.length;
});
