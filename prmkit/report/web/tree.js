// A tree of steps, to be walked by mouse or keys as WAI-ARIA describes a tree view. Steps become elements when they are
// first opened, so that a large tree costs nothing until it is looked at.

const STATUSES = { c: "on the path of the answer", f: "finished", u: "cut by a limit", p: "pruned by the search", i: "" };
const MOST_LETTERS = 240;

class TreeView {
  /** tree, texts: as report/pack.py writes them. chosen(node): called as a step is looked at. */
  constructor(tree, texts, name, chosen) {
    this.tree = tree;
    this.texts = texts;
    this.chosen = chosen;
    this.items = new Map();
    this.children = new Map();
    tree.parent.forEach((parent, node) => {
      if (!this.children.has(parent)) this.children.set(parent, []);
      this.children.get(parent).push(node);
    });
    this.count();
    this.root = element("ul", { role: "tree", "aria-label": name, class: "tree" });
    this.fill(this.root, -1, 1);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("click", (event) => this.click(event));
    const start = tree.chosen ?? this.children.get(-1)?.[0];
    if (start !== undefined) this.reveal(start);
  }

  below(node) {
    return this.children.get(node) ?? [];
  }

  /** Below each step: solutions, how many of them are right, and pruned branches. */
  count() {
    const { parent, right, status } = this.tree;
    const leaf = parent.map((_, node) => !this.below(node).length);
    this.solutions = leaf.map((is, node) => Number(is && status[node] !== "p"));
    this.pruned = leaf.map((is, node) => Number(is && status[node] === "p"));
    this.right = parent.map((_, node) => right[node] ?? 0);
    for (let node = parent.length - 1; node > 0; node -= 1) {
      if (parent[node] >= 0) {
        for (const counts of [this.solutions, this.pruned, this.right]) counts[parent[node]] += counts[node];
      }
    }
  }

  fill(list, node, level) {
    const children = this.below(node);
    children.forEach((child, at) => list.append(this.item(child, level, at + 1, children.length)));
    const cut = this.tree.cut?.[node];
    if (cut) list.append(element("li", { role: "none", class: "cut" }, `${counted(cut, "more solution")} not in this page`));
  }

  item(node, level, position, size) {
    const { tree } = this;
    const inner = this.below(node).length > 0;
    const text = this.texts[tree.text[node]];
    const score = tree.score?.[node] ?? -1;
    const label = tree.label?.[node] ?? -1;
    const said = [score >= 0 ? `score ${thousandths(score)}` : "", label >= 0 ? `label ${thousandths(label)}` : "", STATUSES[tree.status[node]], verdict(tree.right[node])];
    const row = element(
      "div",
      { class: `row ${tree.status[node] === "c" ? "answer" : ""}` },
      element("span", { class: "twisty", "aria-hidden": "true" }),
      chip(score),
      label >= 0 ? chip(label, true) : null,
      ...marks(tree, node),
      element("span", { class: "step" }, text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}\u2026` : text),
      inner ? this.outlook(node) : null,
    );
    const made = element(
      "li",
      {
        role: "treeitem",
        tabindex: "-1",
        "aria-level": level,
        "aria-posinset": position,
        "aria-setsize": size,
        "aria-selected": "false",
        "aria-expanded": inner ? "false" : null,
        "aria-label": [text, ...said.filter(Boolean)].join(", "),
        "data-node": node,
      },
      row,
    );
    this.items.set(node, made);
    return made;
  }

  /** What lies below a step: of one way on its end, of several their number. */
  outlook(node) {
    const { tree } = this;
    if (this.solutions[node] + this.pruned[node] > 1) {
      return element("span", { class: "below" }, counts(this.solutions[node], this.pruned[node], Object.keys(tree.right).length > 1 ? this.right[node] : null));
    }
    let end = node;
    while (this.below(end).length) [end] = this.below(end);
    const value = tree.score?.[end] ?? tree.label?.[end] ?? -1;
    const steps = counted(this.path(end).length - this.path(node).length, "more step");
    return element("span", { class: "below end" }, value >= 0 ? `${steps} to ` : `${steps} `, value >= 0 ? chip(value, !tree.score) : null, ...marks(tree, end));
  }

  expand(node) {
    const item = this.items.get(node);
    const children = this.below(node);
    if (!children.length) return;
    if (!item.querySelector(":scope > ul")) {
      // The steps of a single continuation stay in line: only a branching indents.
      const list = element("ul", { role: "group", class: children.length > 1 || this.tree.cut?.[node] ? "branch" : "chain" });
      this.fill(list, node, Number(item.getAttribute("aria-level")) + 1);
      item.append(list);
      if (children.length === 1) this.expand(children[0]);
    }
    item.setAttribute("aria-expanded", "true");
  }

  collapse(node) {
    this.items.get(node).setAttribute("aria-expanded", "false");
  }

  toggle(node) {
    if (this.items.get(node).getAttribute("aria-expanded") === "true") this.collapse(node);
    else this.expand(node);
  }

  expandAll() {
    this.tree.parent.forEach((_, node) => this.expand(node));
  }

  collapseAll() {
    this.items.forEach((item, node) => item.hasAttribute("aria-expanded") && this.collapse(node));
  }

  path(node) {
    const path = [];
    for (let at = node; at >= 0; at = this.tree.parent[at]) path.unshift(at);
    return path;
  }

  /** Open the way to a step, and look at it. */
  reveal(node) {
    this.path(node).slice(0, -1).forEach((step) => this.expand(step));
    this.select(node);
  }

  select(node, focus = false) {
    this.root.querySelectorAll('[tabindex="0"]').forEach((item) => item.setAttribute("tabindex", "-1"));
    this.root.querySelectorAll('[aria-selected="true"]').forEach((item) => item.setAttribute("aria-selected", "false"));
    const item = this.items.get(node);
    item.setAttribute("tabindex", "0");
    item.setAttribute("aria-selected", "true");
    this.selected = node;
    if (focus) {
      item.focus({ preventScroll: true });
      item.querySelector(".row").scrollIntoView({ block: "nearest" });
    }
    this.chosen(node);
  }

  visible() {
    return [...this.root.querySelectorAll('[role="treeitem"]')].filter((item) => !item.parentElement.closest('[aria-expanded="false"]'));
  }

  click(event) {
    const row = event.target.closest(".row");
    if (!row) return;
    const node = Number(row.parentElement.dataset.node);
    if (event.target.closest(".twisty") || node === this.selected) this.toggle(node);
    this.select(node, true);
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const node = this.selected;
    const items = this.visible();
    const at = items.indexOf(this.items.get(node));
    const open = this.items.get(node).getAttribute("aria-expanded");
    const go = (item) => item && this.select(Number(item.dataset.node), true);
    const moves = {
      ArrowDown: () => go(items[at + 1]),
      ArrowUp: () => go(items[at - 1]),
      Home: () => go(items[0]),
      End: () => go(items.at(-1)),
      ArrowRight: () => (open === "false" ? this.expand(node) : open === "true" && go(items[at + 1])),
      ArrowLeft: () => (open === "true" ? this.collapse(node) : this.tree.parent[node] >= 0 && this.select(this.tree.parent[node], true)),
      Enter: () => open && this.toggle(node),
      " ": () => open && this.toggle(node),
      "*": () => this.below(this.tree.parent[node]).forEach((sibling) => this.expand(sibling)),
    };
    if (moves[event.key]) {
      event.preventDefault();
      moves[event.key]();
    }
  }
}

function thousandths(value) {
  return (value / 1000).toFixed(3);
}

function counted(number, what) {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}

/** Numbers of solutions, of right ones (null: not known), and of pruned branches. */
function counts(solutions, pruned, right) {
  const parts = [solutions || !pruned ? counted(solutions, "solution") : "", right && `${right} right`, pruned && `${pruned.toLocaleString("en")} pruned`];
  return parts.filter(Boolean).join(", ");
}

function verdict(right) {
  return right === undefined ? "" : right ? "right" : "wrong";
}

/** A probability in thousandths as a number on its colour: blue towards 1, orange towards 0. */
function chip(value, label = false) {
  if (value < 0) return label ? null : element("span", { class: "chip none" }, "\u2013");
  const made = element("span", { class: label ? "chip label" : "chip", title: label ? "label" : "score" }, thousandths(value));
  made.style.setProperty("--share", ((value - 500) / 500).toFixed(3));
  return made;
}

function mark(kind, sign, title) {
  return element("span", { class: `mark ${kind}`, title, "aria-hidden": "true" }, sign);
}

function marks(tree, node) {
  const made = [];
  if (tree.status[node] === "c") made.push(mark("chosen", "\u2605", "on the path of the answer"));
  if (tree.status[node] === "p") made.push(mark("pruned", "\u2702", "pruned by the search"));
  if (tree.status[node] === "u") made.push(mark("unfinished", "\u22ef", "cut by a limit"));
  if (tree.right[node] === 1) made.push(mark("right", "\u2713", "right"));
  if (tree.right[node] === 0) made.push(mark("wrong", "\u2717", "wrong"));
  if (tree.attributed?.[node]) made.push(mark("heat", "\u25a4", "with attribution"));
  return made;
}
