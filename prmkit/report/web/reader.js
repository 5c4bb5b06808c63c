// One solution, step by step: scores as bars, labels, and the attribution of a score where there is one.

/** The solution that leads to a step. heat: the index of an attribution method, or -1. */
function solution(view, node, name, heat, changeHeat) {
  const { tree, texts } = view;
  const path = view.path(node);
  const record = tree.attributed?.[node];
  const facts = [counted(path.length, "step"), STATUSES[tree.status[node]], verdict(tree.right[node])];
  if (view.below(node).length) facts.push(`goes on to ${counts(view.solutions[node], view.pruned[node], null)}`);
  const rows = path.map((step, at) => stepRow(tree, step, at, record, heat, texts[tree.text[step]]));
  const head = element("h4", {}, name, element("small", {}, facts.filter(Boolean).join(", ")));
  const table = element("table", { class: "steps" }, element("tbody", {}, ...rows));
  return element("article", { class: "solution" }, head, record ? heatChoice(record, heat, changeHeat) : null, table, record ? influences(record) : null);
}

function stepRow(tree, step, at, record, heat, text) {
  const score = tree.score?.[step] ?? -1;
  const label = tree.label?.[step] ?? -1;
  const bar = element("span", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--value", Math.max(0, score) / 1000);
  const content = record && heat >= 0 ? tokens(record, heat, at) : [text];
  return element(
    "tr",
    { class: record && record.explained === at ? "explained" : null },
    element("th", { scope: "row" }, String(at + 1)),
    element("td", { class: "text" }, element("code", {}, ...content)),
    element("td", {}, score >= 0 ? bar : null),
    element("td", {}, chip(score), label >= 0 ? chip(label, true) : null),
  );
}

function heatChoice(record, heat, change) {
  const select = element("select", {}, element("option", { value: -1 }, "plain text"));
  record.by_token.forEach((one, at) => select.append(element("option", { value: at, selected: at === heat }, one.method)));
  select.addEventListener("change", () => change(Number(select.value)));
  const about = heat < 0 ? "" : `What each token adds to the logit of score ${record.explained + 1}: blue raises it, orange lowers it. ${trust(record.by_token[heat])}`;
  return element("div", { class: "heat-choice" }, element("label", {}, "Attribution ", select), element("p", {}, about));
}

function trust(one) {
  return `Without the tenth of the tokens with the largest values the logit falls by ${signed(one.ablation)}, without as many random ones by ${signed(one.random_ablation)}.`;
}

function signed(value) {
  return `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(2)}`;
}

/** The tokens of a step, each on the colour of its value. */
function tokens(record, heat, step) {
  const { values } = record.by_token[heat];
  const most = Math.max(...values.map(Math.abs), Number.MIN_VALUE);
  return record.tokens.flatMap((text, at) => (record.step_of[at] === step ? [warm(text.replaceAll("\n", "\u21b5"), values[at], most), " "] : []));
}

function warm(text, value, most) {
  const made = element("span", { class: "warm", title: signed(value) }, text);
  made.style.setProperty("--share", (value / most).toFixed(3));
  return made;
}

/** What each step does to each score. */
function influences(record) {
  const tables = record.by_step.map((one) => {
    const most = Math.max(...one.matrix.flat().map(Math.abs), Number.MIN_VALUE);
    const head = element("tr", {}, element("th", {}), ...one.matrix.map((_, at) => element("th", { scope: "col" }, `score ${at + 1}`)));
    const rows = one.matrix.map((row, step) => element("tr", {}, element("th", { scope: "row" }, `step ${step + 1}`), ...row.map((value, at) => element("td", {}, at < step ? "" : warm(signed(value), value, most)))));
    return element("div", { class: "scroll" }, element("p", {}, `What a step (row) adds to the logit of a score (column), by ${one.method}.`), element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
  });
  return element("details", {}, element("summary", {}, "What each step does to each score"), ...tables);
}
