"""What a report of 500 problems x 16 solutions x 5 strategies takes: to build, to keep, and to open.

    python bench/report.py [--quick]

The trees are made up, with texts of real length: eight steps of some 25 words, words drawn by Zipf's law. Alone, a
solution compresses 2.6 times, as those of MATH in ProcessBench do. Every strategy writes its own solutions (on one
journal they share many), and within a problem seven phrases of ten recur. Each build is a process of its own, as a
user starts it. Peers: reading the same trees and doing nothing with them; plotly's own page of one empty figure.
Chromium, where it is installed with playwright (pip install prmkit[browser]), opens both pages from file://.
"""

import argparse
import base64
import gzip
import json
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson

from prmkit.evaluate.evaluation import EvaluationResult
from prmkit.evaluate.samples import evaluate_samples
from prmkit.evaluate.selection import Samples
from prmkit.evaluate.side_by_side import SideBySideResult, side_by_side
from prmkit.grade.config import DEFAULT
from prmkit.report import build_report
from prmkit.run.results import Result, write_result
from prmkit.search.result import ProblemCost, SearchResult
from prmkit.session.ledger import Ledger
from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import append_lines, read_trees, write_trees
from prmkit.yaml_io import dump_yaml

PROBLEMS, SOLUTIONS, STEPS, WORDS = 500, 16, 8, 25
RECURRING = 0.7
STRATEGIES = ("best-of-n", "beam", "dvts", "mcts", "particle-filtering")
MEGABYTE = 1_000_000
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Writer:
    """Writes steps of made-up English."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        letters = "etaoinshrdlucmfwypvbgkjqxz"
        weights = [1 / (rank + 2) for rank in range(len(letters))]
        self.words = ["".join(self.random.choices(letters, weights, k=2 + rank % 8)) for rank in range(800)]
        self.frequencies = list(accumulate((rank + 3) ** -1.2 for rank in range(len(self.words))))

    def phrase(self, words: int = 5) -> str:
        """Some words, now and then with an equation."""
        drawn = self.random.choices(self.words, cum_weights=self.frequencies, k=words)
        if self.random.random() < 0.4:
            a, b = self.random.randrange(100), self.random.randrange(10)
            drawn.append(f"$x = {a} + {b} = {a + b}$")
        return " ".join(drawn)

    def step(self, known: list[str]) -> str:
        """A step of five phrases, half of them known from the problem."""
        phrases = [
            self.random.choice(known) if self.random.random() < 0.5 else self.phrase() for _ in range(WORDS // 5)
        ]
        return " ".join(phrases)


def tree_of(number: int, writer: Writer, strategy: str, known: list[str]) -> StepTree:
    """A tree of 16 solutions; but for best-of-n, half of the solutions share their first steps with the one before."""
    problem = Problem(id=f"made/{number}", prompt=" ".join(known[:8]), answer=str(number), level=str(1 + number % 5))
    tree, shared = StepTree(problem), 0
    path: list[int] = []
    leaves = []
    for solution in range(SOLUTIONS):
        shared = STEPS // 2 if strategy != "best-of-n" and solution % 2 else 0
        path = path[:shared]
        for step in range(shared, STEPS):
            finish: Any = "eos" if step == STEPS - 1 else None
            parent = path[-1] if path else ROOT
            path.append(tree.add(parent, writer.step(known), score=round(writer.random.random(), 6), finish=finish))
        leaves.append(path[-1])
    chosen = max(leaves, key=lambda leaf: tree.nodes[leaf].score or 0.0)
    tree.meta |= {"strategy": strategy, "aggregation": "last", "chosen": str(chosen), "generations": str(SOLUTIONS)}
    return tree


def make_run(folder: Path) -> None:
    """A run folder as `prmkit search` with `compare` and `prmkit evaluate` leave it."""
    seeds = random.Random(0)
    compare = {name: {"name": name, "options": {"n": SOLUTIONS}} for name in STRATEGIES}
    writers = {name: Writer(number) for number, name in enumerate(STRATEGIES)}
    costs: dict[str, list[ProblemCost]] = {}
    known = [[writers["beam"].phrase() for _ in range(20)] for _ in range(PROBLEMS)]
    for name, writer in writers.items():
        trees = [tree_of(number, writer, name, known[number]) for number in range(PROBLEMS)]
        samples = [samples_of(tree, seeds) for tree in trees]
        figures = evaluate_samples(samples, scored=True)
        found = EvaluationResult(**dict(figures), grading=DEFAULT, aggregation="last")
        result = SearchResult(
            benchmark="made",
            strategy=name,
            accuracy=found.selection["pass@1"],
            unanswered=0,
            exhausted=0,
            seconds=1.0,
            ledger=Ledger(),
        )
        run = folder / name
        write_run(run, {"stage": "search", "strategy": compare[name], "compare": {}}, result)
        write_run(run / "evaluation", {"stage": "evaluate-samples", "path": str(run)}, found)
        write_trees(run / "trees.jsonl", trees)
        costs[name] = [cost_of(one) for one in samples]
        append_lines(run / "costs.jsonl", (cost.as_json() for cost in costs[name]))
    compared = side_by_side(costs, seed=0)
    write_run(folder, {"stage": "search", "compare": compare}, SideBySideResult(benchmark="made", **dict(compared)))


def samples_of(tree: StepTree, seeds: random.Random) -> Samples:
    scores = tuple(tree.nodes[leaf].score or 0.0 for leaf in tree.leaves())
    correct = tuple(seeds.random() < score for score in scores)
    classes = tuple(0 if right else 1 + seeds.randrange(6) for right in correct)
    return Samples(problem_id=tree.problem.id, scores=scores, classes=classes, correct=correct)


def cost_of(one: Samples) -> ProblemCost:
    return ProblemCost(
        problem=one.problem_id,
        right=one.correct[one.scores.index(max(one.scores))],
        exhausted=False,
        generations=SOLUTIONS,
        generated_tokens=4000,
        total_tokens=8000,
        flops=1e12,
        seconds=1.0,
    )


def write_run(folder: Path, recipe: dict[str, Any], result: Result) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    record = {"recipe": recipe, "seed": 0, "created": "2026-01-01T00:00:00+00:00", "versions": {}}
    (folder / "run.yaml").write_text(dump_yaml(record))
    write_result(folder / "metrics.json", result)


def build(folder: Path, out: Path) -> None:
    build_report([folder], out, title="Made", overwrite=True)


def read(folder: Path, out: Path) -> None:
    out.write_text(
        str(sum(len(tree) for name in STRATEGIES for tree in list(read_trees(folder / name / "trees.jsonl"))))
    )


PARTS: dict[str, Callable[[Path, Path], None]] = {"build": build, "read": read}


def measured(part: str, folder: Path, out: Path) -> tuple[float, float]:
    """(seconds, peak MB) of one part in a fresh process, its start and imports included."""
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder), "--out", str(out)]
    start = time.perf_counter()
    peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return time.perf_counter() - start, float(peak)


def opened(pages: dict[str, tuple[Path, str]], runs: int) -> Iterator[tuple[str, float]]:
    """(name, seconds until what a reader looks at is there) of each opening."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(runs):
            for name, (file, awaited) in pages.items():
                page = browser.new_page()
                start = time.perf_counter()
                page.goto(file.as_uri())
                page.wait_for_selector(awaited)
                yield name, time.perf_counter() - start
                page.close()
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        PARTS[given.part](given.folder, given.out)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
        return
    runs = 1 if given.quick else 3
    with tempfile.TemporaryDirectory() as place:
        folder, out, empty = Path(place) / "run", Path(place) / "report.html", Path(place) / "plotly.html"
        make_run(folder)
        found = {part: [measured(part, folder, Path(place) / f"{part}.html") for _ in range(runs)] for part in PARTS}
        (Path(place) / "build.html").rename(out)
        import plotly.graph_objects as go

        go.Figure().write_html(empty)
        sizes = {file: file.stat().st_size / MEGABYTE for file in (out, empty)}
        raw = sum(file.stat().st_size for file in folder.rglob("trees.jsonl")) / MEGABYTE
        print(f"{raw:.0f} MB of trees; {kept(out)}")
        middle = {
            part: [statistics.median(values) for values in zip(*each, strict=True)] for part, each in found.items()
        }
        reading, bare = "reading the trees alone", "plotly's page of one empty figure"
        seconds, peak = middle["build"]
        figures: dict[str, Any] = {
            "build_s": {"value": seconds, "unit": "s", "peer": {reading: middle["read"][0]}, "n": runs},
            "peak_mb": {"value": peak, "unit": "MB", "peer": {reading: middle["read"][1]}, "n": runs},
            "html_mb": {"value": sizes[out], "unit": "MB", "peer": {bare: sizes[empty]}, "n": runs},
        }
        try:
            import playwright  # noqa: F401
        except ImportError:
            print("not opened: playwright is not installed (pip install prmkit[browser])")
        else:
            if CHROMIUM is not None:
                figures["open_s"] = opening(out, empty, bare)
            else:
                print("not opened: there is no Chromium (apt-get install chromium)")
    for name, figure in figures.items():
        print(f"{name}: {figure['value']:.2f} {figure['unit']} ({figure['peer']})")
    print(json.dumps(figures))


def kept(page: Path) -> str:
    """What the page says of the solutions that it left out."""
    packed = re.search(r'id="data-trees">(.*?)<', page.read_text(encoding="utf-8"))
    assert packed is not None
    counts = orjson.loads(gzip.decompress(base64.b64decode(packed[1])))["counts"]
    return f"{counts['solutions'] - counts['omitted']:,} of {counts['solutions']:,} solutions are in the page"


def opening(out: Path, empty: Path, bare: str) -> dict[str, Any]:
    """Seconds until the first tree is shown, and until plotly's own page has drawn its figure."""
    pages = {"report": (out, '#forest [role="treeitem"]'), "plotly": (empty, ".main-svg")}
    times: dict[str, list[float]] = {name: [] for name in pages}
    for name, seconds in opened(pages, runs=5):
        times[name].append(seconds)
    middle = {name: statistics.median(each) for name, each in times.items()}
    return {"value": middle["report"], "unit": "s", "peer": {bare: middle["plotly"]}, "n": 5}


if __name__ == "__main__":
    main()
