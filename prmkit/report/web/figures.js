// Figures: series and matrices as plotly draws them, in the reader's colours.

// Okabe and Ito's colours, which people with any colour vision tell apart; marks differ too.
const COLOURS = {
  light: ["#0072b2", "#d55e00", "#009e73", "#b05f91", "#a67500", "#3a93c6", "#555555"],
  dark: ["#56b4e9", "#f0a030", "#2cc295", "#d99abf", "#f0e442", "#8fb8ff", "#bbbbbb"],
};
const PAGE = {
  light: { text: "#30363d", grid: "rgba(128,128,128,0.22)", paper: "#ffffff" },
  dark: { text: "#c9d1d9", grid: "rgba(128,128,128,0.28)", paper: "#14181d" },
};
const MARKS = ["circle", "square", "diamond", "triangle-up", "x", "star", "pentagon"];
const DASHES = ["solid", "dot", "dashdot"];
const MOST_OF_A_NAME = 44;
const CONFIG = { displayModeBar: false, responsive: true };

let plotlyLoading = null;
let printing = false;

function isDark() {
  if (printing) return false;
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Plotly, which the page's policy knows by its hash. */
function plotly() {
  plotlyLoading ??= unpackedText("plotly").then((source) => {
    const script = document.createElement("script");
    script.textContent = source;
    document.head.append(script);
    return window.Plotly;
  });
  return plotlyLoading;
}

/** Draw a figure, or draw it again in the colours of now. */
async function draw(holder, figure) {
  const plot = holder.querySelector(".plot");
  const { data, layout } = drawn(figure, isDark() ? "dark" : "light", plot.clientWidth);
  plot.style.height = `${layout.height}px`;
  const library = await plotly();
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", figure.title);
  await library.react(plot, data, layout, CONFIG);
  holder.dataset.drawn = "yes";
}

/** The figure as plotly takes it. */
function drawn(figure, theme, width) {
  const page = PAGE[theme];
  const data = figure.matrix.length ? [heat(figure)] : figure.series.map((one, at) => trace(one, at, figure, theme));
  const axes = figure.horizontal ? [axis(figure.x, [], page), namesAxis(page)] : [axis(figure.x, figure.series, page), axis(figure.y, [], page)];
  if (figure.matrix.length) axes[1].autorange = "reversed";
  const legend = data.length > 1;
  const lines = legend ? Math.ceil(data.reduce((sum, one) => sum + 60 + 7 * one.name.length, 0) / Math.max(260, width - 40)) : 0;
  const rows = figure.horizontal ? Math.max(...figure.series.map((one) => one.x.length)) : figure.rows.length;
  const layout = {
    height: figure.horizontal ? 90 + 30 * rows : figure.matrix.length ? 130 + 40 * rows : 290 + 22 * lines,
    margin: { l: 56, r: 16, t: 12, b: 50 + 22 * lines },
    xaxis: axes[0],
    yaxis: axes[1],
    shapes: figure.bands.map(([from, to]) => ({ type: "rect", xref: "x", yref: "paper", x0: from, x1: to, y0: 0, y1: 1, fillcolor: page.text, opacity: 0.12, line: { width: 0 }, layer: "below" })),
    showlegend: legend,
    legend: { orientation: "h", x: 0, yref: "container", y: 0, yanchor: "bottom", font: { size: 12 } },
    font: { color: page.text, family: "system-ui, sans-serif", size: 13 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    barmode: figure.x.range ? "overlay" : "group",
    hoverlabel: { font: { family: "system-ui, sans-serif" } },
  };
  return { data, layout };
}

function trace(one, at, figure, theme) {
  const colour = one.reference ? PAGE[theme].text : COLOURS[theme][at % COLOURS[theme].length];
  const bars = one.kind === "bars";
  const along = figure.horizontal ? "x" : "y";
  const made = { name: plain(one.name), type: bars ? "bar" : "scatter", cliponaxis: false };
  made[along] = one.y;
  made[figure.horizontal ? "y" : "x"] = one.x.map((value) => (typeof value === "string" ? plain(value) : value));
  made[`error_${along}`] = error(one, colour);
  if (bars) {
    Object.assign(made, { marker: { color: colour, opacity: figure.x.range ? 0.45 : 0.85 }, orientation: figure.horizontal ? "h" : "v" });
  } else {
    made.mode = one.reference ? "lines" : one.kind === "points" || one.x.length === 1 ? "markers" : "lines+markers";
    made.line = { color: colour, width: one.reference ? 1 : 2, dash: one.reference ? "dash" : DASHES[Math.floor(at / MARKS.length) % DASHES.length] };
    made.marker = { color: colour, size: one.x.length > 40 ? 4 : 7, symbol: MARKS[at % MARKS.length] };
  }
  if (one.reference) made.hoverinfo = "skip";
  return made;
}

function error(one, colour) {
  if (one.low) {
    const [above, below] = [one.high.map((high, at) => high - one.y[at]), one.low.map((low, at) => one.y[at] - low)];
    return { type: "data", symmetric: false, array: above, arrayminus: below, color: colour, thickness: 1.5 };
  }
  return one.stderr ? { type: "data", array: one.stderr.map((value) => value ?? 0), color: colour, thickness: 1.2, width: 3 } : undefined;
}

function axis(described, series, page) {
  const made = { title: { text: plain(described.title), standoff: 10 }, gridcolor: page.grid, zerolinecolor: page.grid, automargin: true };
  if (described.range) made.range = described.range;
  const places = [...new Set(series.flatMap((one) => one.x))];
  if (!described.range && (series.some((one) => one.kind === "bars") || places.some((place) => typeof place === "string"))) {
    made.type = "category";
  } else if (described.log) {
    made.type = "log";
    // A few whole numbers, such as 1, 2, 4, 8 samples, are named as they are.
    if (places.length && places.every(Number.isInteger) && Math.max(...places) <= 4096) {
      made.tickvals = places.filter((place) => Number.isInteger(Math.log2(place)) || place === Math.max(...places));
    }
  } else if (places.length && places.every(Number.isInteger) && Math.max(...places) - Math.min(...places) < 12) {
    made.dtick = 1;
  }
  return made;
}

function namesAxis(page) {
  return { type: "category", autorange: "reversed", automargin: true, gridcolor: page.grid };
}

function heat(figure) {
  return {
    type: "heatmap",
    x: figure.columns.map(plain),
    y: figure.rows.map(plain),
    z: figure.matrix,
    colorscale: "Cividis",
    texttemplate: "%{z:.1f}",
    hoverongaps: false,
  };
}

/** A name in a figure: short enough to leave room for the figure, and nothing that plotly reads as markup (b, a, &...;). */
function plain(text) {
  const short = text.length > MOST_OF_A_NAME ? `${text.slice(0, MOST_OF_A_NAME)}\u2026` : text;
  return short.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** Save a figure: as data, or as a picture in light colours, as papers want it. */
async function exportFigure(figure, kind) {
  if (kind === "csv") {
    save(fileName(figure.title, "csv"), csv(figureRows(figure)), "text/csv");
    return;
  }
  const { data, layout } = drawn(figure, "light", 900);
  const library = await plotly();
  Object.assign(layout, { paper_bgcolor: "#ffffff", title: { text: plain(figure.title) }, margin: { l: 70, r: 30, t: 60, b: 60 }, height: layout.height + 80 });
  const picture = await library.toImage({ data, layout }, { format: kind, width: 900, height: layout.height, scale: kind === "png" ? 2 : 1 });
  save(fileName(figure.title, kind), picture);
}

function figureRows(figure) {
  if (figure.matrix.length) {
    const cells = figure.rows.flatMap((row, i) => figure.columns.map((column, j) => [row, column, figure.matrix[i][j]]));
    return [["row", "column", "value"], ...cells];
  }
  const head = ["series", figure.x.title || "x", figure.y.title || "y", "stderr", "low", "high"];
  if (figure.horizontal) [head[1], head[2]] = [figure.y.title || "name", figure.x.title || "value"];
  const rows = figure.series.flatMap((one) => one.x.map((x, at) => [one.name, x, one.y[at], one.stderr?.[at], one.low?.[at], one.high?.[at]]));
  return [head, ...rows];
}
