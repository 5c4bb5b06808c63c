// The trees of one problem, of one run or of two side by side, and the picker of problems.

const OUTCOMES = {
  one: [["all", () => true], ["right", (a) => a === 1], ["wrong", (a) => a === 0], ["not judged", (a) => a === null]],
  two: [
    ["all", () => true],
    ["both right", (a, b) => a === 1 && b === 1],
    ["both wrong", (a, b) => a === 0 && b === 0],
    ["only the first is right", (a, b) => a === 1 && b === 0],
    ["only the second is right", (a, b) => a === 0 && b === 1],
  ],
};

class Viewer {
  constructor(index) {
    this.index = index;
    this.heat = 0;
    this.views = [];
    this.list = document.getElementById("problems");
    const runs = index.runs.map((run, at) => [at, run.title]);
    fillSelect("run-first", runs);
    this.offerSecond();
    this.say();
    for (const id of ["run-first", "run-second", "outcome", "find"]) {
      document.getElementById(id).addEventListener("input", () => this.change(id));
    }
    document.getElementById("previous").addEventListener("click", () => this.step(-1));
    document.getElementById("next").addEventListener("click", () => this.step(1));
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest('[role="option"]');
      if (option) this.open(Number(option.dataset.problem));
    });
    this.change("run-second");
  }

  say() {
    const { problems, whole, counts } = this.index;
    const kept = whole ? `the first ${counted(whole, "problem")} are whole, of the others the answers are here` : "the answers are here";
    const rest = `${counts.omitted.toLocaleString("en")} of them are not in this page, to keep it small: ${kept}. The run folders hold them all, and prmkit report --megabytes 20 makes a larger page.`;
    document.getElementById("tree-counts").textContent = `${counted(problems.length, "problem")}, ${counted(counts.solutions, "solution")}. ${counts.omitted ? rest : ""}`;
  }

  number(id) {
    const { value } = document.getElementById(id);
    return value === "" ? null : Number(value);
  }

  /** As the second run, any that has a problem with the first in common. */
  offerSecond() {
    const first = this.number("run-first");
    const shared = new Set(this.index.problems.filter((problem) => first in problem.runs).flatMap((problem) => Object.keys(problem.runs).map(Number)));
    const runs = this.index.runs.map((run, at) => [at, run.title]).filter(([at]) => at !== first && shared.has(at));
    fillSelect("run-second", [["", runs.length ? "none" : "none of the same problems"], ...runs]);
  }

  change(id) {
    if (id === "run-first") this.offerSecond();
    if (id.startsWith("run")) {
      const outcomes = OUTCOMES[this.number("run-second") === null ? "one" : "two"];
      fillSelect("outcome", outcomes.map(([name], at) => [at, name]));
    }
    this.filter();
  }

  filter() {
    const [first, second] = [this.number("run-first"), this.number("run-second")];
    const accepts = OUTCOMES[second === null ? "one" : "two"][this.number("outcome")][1];
    const words = document.getElementById("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    this.matching = this.index.problems.flatMap((problem, at) => {
      if (!(first in problem.runs) || (second !== null && !(second in problem.runs))) return [];
      if (!accepts(problem.runs[first], second === null ? null : problem.runs[second])) return [];
      const text = [problem.id, problem.prompt, ...problem.tags].join(" ").toLowerCase();
      return words.every((word) => text.includes(word)) ? [at] : [];
    });
    this.list.replaceChildren(...this.matching.map((at) => this.option(at, first, second)));
    this.open(this.matching.includes(this.problem) ? this.problem : this.matching[0]);
  }

  option(at, first, second) {
    const problem = this.index.problems[at];
    const signs = [first, second].filter((run) => run !== null).map((run) => {
      const right = problem.runs[run];
      return right === null ? element("span", { class: "mark" }, "\u00b7") : mark(right ? "right" : "wrong", right ? "\u2713" : "\u2717", verdict(right));
    });
    if (problem.attributed) signs.push(mark("heat", "\u25a4", "with attribution"));
    const said = [first, second].filter((run) => run !== null).map((run) => verdict(problem.runs[run] ?? undefined) || "not judged");
    return element(
      "li",
      { role: "option", id: `problem-${at}`, "data-problem": at, "aria-selected": "false", "aria-label": `${problem.prompt}, ${said.join(", ")}` },
      element("span", { class: "signs" }, ...signs),
      element("span", { class: "prompt" }, problem.prompt),
      element("small", {}, [problem.id, ...problem.tags].join(" \u00b7 ")),
    );
  }

  step(by) {
    const at = this.matching.indexOf(this.problem) + by;
    if (at >= 0 && at < this.matching.length) this.open(this.matching[at]);
  }

  key(event) {
    const end = this.matching.length;
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -end, End: end };
    if (!(event.key in moves) || !end) return;
    event.preventDefault();
    const at = this.matching.indexOf(this.problem) + moves[event.key];
    this.open(this.matching[Math.min(end - 1, Math.max(0, at))]);
  }

  async open(at) {
    const before = this.list.querySelector('[aria-selected="true"]');
    before?.setAttribute("aria-selected", "false");
    this.problem = at;
    const place = this.matching.indexOf(at);
    document.getElementById("matches").textContent = place < 0 ? "no such problem" : `${place + 1} of ${this.matching.length}`;
    if (at === undefined) {
      for (const id of ["problem", "forest", "reader"]) document.getElementById(id).replaceChildren();
      return;
    }
    const option = document.getElementById(`problem-${at}`);
    option.setAttribute("aria-selected", "true");
    this.list.setAttribute("aria-activedescendant", option.id);
    scrollWithin(this.list, option);
    const found = await unpacked(`trees-${at}`);
    if (this.problem === at) this.show(found);
  }

  show(found) {
    const problem = this.index.problems[this.problem];
    const runs = [this.number("run-first"), this.number("run-second")].filter((run) => run !== null);
    const answer = found.answer === null ? null : element("p", { class: "reference" }, "Reference answer: ", element("code", {}, found.answer));
    document.getElementById("problem").replaceChildren(element("h3", {}, problem.id), element("p", { class: "prompt" }, found.prompt), answer ?? "");
    this.views = runs.map((run) => {
      const name = this.index.runs[run].name;
      return { name, view: new TreeView(found.trees[run], found.texts, `Steps of ${name}`, () => this.read()) };
    });
    const forest = document.getElementById("forest");
    forest.className = runs.length > 1 ? "two" : "";
    forest.replaceChildren(...this.views.map(({ name, view }) => pane(name, view)));
    this.read();
  }

  read() {
    const change = (heat) => {
      this.heat = heat;
      this.read();
    };
    const readable = this.views.filter(({ view }) => view.selected !== undefined);
    const shown = readable.map(({ name, view }) => solution(view, view.selected, name, this.heat, change));
    document.getElementById("reader").className = shown.length > 1 ? "two" : "";
    document.getElementById("reader").replaceChildren(...shown);
  }
}

function pane(name, view) {
  const { tree } = view;
  const total = (numbers) => view.below(-1).reduce((sum, node) => sum + numbers[node], 0);
  const judged = Object.keys(tree.right).length > 1;
  const facts = [counts(total(view.solutions), total(view.pruned), judged ? total(view.right) : null)];
  if (tree.omitted) facts.push(`${counted(tree.omitted.solutions, "more solution")} (${tree.omitted.right} right, ${counted(tree.omitted.steps, "step")}) not in this page`);
  if (tree.chosen === undefined && Object.keys(tree.right).length) facts.push("no answer chosen");
  const all = element("button", { type: "button" }, "Open all");
  all.addEventListener("click", () => view.expandAll());
  const none = element("button", { type: "button" }, "Close all");
  none.addEventListener("click", () => view.collapseAll());
  return element("div", { class: "pane" }, element("div", { class: "caption" }, element("b", {}, name), element("small", {}, facts.join(", ")), element("span", { class: "tools" }, all, none)), element("div", { class: "bark" }, view.root));
}

function fillSelect(id, options) {
  document.getElementById(id).replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
}

/** Scroll a list, and not the page with it. */
function scrollWithin(list, item) {
  if (item.offsetTop < list.scrollTop) list.scrollTop = item.offsetTop;
  else if (item.offsetTop + item.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = item.offsetTop + item.offsetHeight - list.clientHeight;
}
