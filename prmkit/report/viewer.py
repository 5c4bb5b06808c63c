"""The trees of some runs, problem by problem, each compressed on its own, so that a page opens only what is looked at.

A file that people send each other must stay small: where the trees of all runs do not fit, the same number of solutions
of each is kept, and the rest is counted.
"""

import gzip
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from prmkit.report.pack import Judged, Texts, packed
from prmkit.report.read import Run, single
from prmkit.tree import ROOT, Problem, StepTree

ROOM = 3_750_000
"""Bytes of a page for trees: with plotly's two million and the rest it stays below six."""

_SHOWN_PROMPT = 160
_SAMPLE = 10
"""Every tenth problem tells how many solutions fit."""

Key = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class Viewed:
    """A problem, and its tree in each run that has one, by the run's number."""

    problem: Problem
    trees: dict[int, Judged] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreePages:
    """What the viewer of a page reads.

    Attributes:
        index: ``runs`` [{name, title}], ``problems`` [{id, prompt, tags, runs {number: verdict}, attributed}],
            ``solutions`` kept of each tree (null: all), and ``counts`` {solutions, omitted} of all trees.
        chunks: for each problem, its trees: JSON (see ``chunk``), gzip, base64.
    """

    index: dict[str, Any]
    chunks: list[str]


def tree_pages(runs: Sequence[Run], room: int = ROOM) -> TreePages | None:
    """The trees of these runs within ``room`` bytes as far as that is possible; None if there is none.

    One solution of each tree is kept at least, whatever that takes.
    """
    shown = [run for run in single(runs) if run.trees]
    if not shown:
        return None
    problems = list(_by_problem(shown))
    solutions = _fitting(problems, room)
    chunks, omitted = _chunks(problems, solutions)
    while sum(map(len, chunks)) > room and solutions != 1:
        solutions = max(1, (solutions or _most(problems)) * 3 // 4)
        chunks, omitted = _chunks(problems, solutions)
    index = {
        "runs": [{"name": run.name, "title": run.title} for run in shown],
        "problems": [_entry(each) for each in problems],
        "solutions": solutions,
        "counts": {
            "solutions": sum(len(one.tree.leaves()) for each in problems for one in each.trees.values()),
            "omitted": omitted,
        },
    }
    return TreePages(index=index, chunks=chunks)


def chunk(viewed: Viewed, solutions: int | None) -> dict[str, Any]:
    """A problem as JSON has it: ``prompt``, ``answer``, ``texts`` of its steps, ``trees`` {run number: pack.packed}."""
    texts = Texts()
    trees = {str(run): packed(judged, texts, solutions=solutions) for run, judged in viewed.trees.items()}
    return {"prompt": viewed.problem.prompt, "answer": viewed.problem.answer, "texts": texts.all, "trees": trees}


def compressed(value: Any, level: int = 6) -> str:
    """JSON (or bytes), gzip, base64: what the page's ``unpacked`` reads. The same for the same value."""
    data = value if isinstance(value, bytes) else orjson.dumps(value)
    return b64encode(gzip.compress(data, level, mtime=0)).decode()


def _by_problem(runs: Sequence[Run]) -> Iterator[Viewed]:
    """The problems in the order in which the runs name them; the same id with another text is another problem."""
    found: dict[Key, Viewed] = {}
    for number, run in enumerate(runs):
        costs = {record["problem"]: record for record in run.costs}
        attributions: dict[str, dict[int, Any]] = {}
        for record in run.attributions:
            attributions.setdefault(record["problem_id"], {})[record["leaf"]] = record
        for tree in run.trees:
            problem = tree.problem
            viewed = found.setdefault((problem.id, problem.prompt, problem.answer), Viewed(problem))
            right = _verdicts(run, tree, costs.get(problem.id))
            records = attributions.get(problem.id, {}).items()
            explained = {leaf: record for leaf, record in records if _matches(tree, leaf, record)}
            viewed.trees[number] = Judged(tree=tree, right=right, attributions=explained)
    yield from found.values()


def _verdicts(run: Run, tree: StepTree, cost: Mapping[str, Any] | None) -> dict[int, bool]:
    """Of each finished solution where the run was evaluated, else of the chosen one as the search judged it."""
    verdicts = (run.evaluation or {}).get("correct", {}).get(tree.problem.id)
    if verdicts is not None:
        pairs = zip(tree.leaves(), verdicts, strict=False)
        return {leaf: bool(right) for leaf, right in pairs if tree.finished(leaf)}
    chosen = int(tree.meta.get("chosen", ROOT))
    return {chosen: bool(cost["right"])} if cost is not None and chosen != ROOT else {}


def _matches(tree: StepTree, leaf: int, record: Mapping[str, Any]) -> bool:
    """Whether the record explains this solution: the trees may have been made again since."""
    return 0 <= leaf < len(tree) and tree.steps(leaf) == list(record["steps"])


def _fitting(problems: Sequence[Viewed], room: int) -> int | None:
    """How many solutions of each tree fit, judged by a sample of the problems; None if all do."""
    sample = problems[::_SAMPLE]
    share = room * len(sample) / len(problems)
    if _size(sample, None) <= share:
        return None
    low, high = 1, _most(problems)  # low is kept even if it does not fit; high does not fit
    while high - low > 1:
        middle = (low + high) // 2
        fits = _size(sample, middle) <= share
        low, high = (middle, high) if fits else (low, middle)
    return low


def _most(problems: Sequence[Viewed]) -> int:
    return max(len(one.tree.leaves()) for each in problems for one in each.trees.values())


def _size(problems: Sequence[Viewed], solutions: int | None) -> int:
    return sum(map(len, _chunks(problems, solutions)[0]))


def _chunks(problems: Sequence[Viewed], solutions: int | None) -> tuple[list[str], int]:
    """The problems, compressed, and how many solutions they leave out."""
    chunks, omitted = [], 0
    for viewed in problems:
        made = chunk(viewed, solutions)
        omitted += sum(tree["omitted"]["solutions"] for tree in made["trees"].values() if "omitted" in tree)
        chunks.append(compressed(made))
    return chunks, omitted


def _entry(viewed: Viewed) -> dict[str, Any]:
    """The problem in the picker. A verdict is 1 or 0 of the answer, or null where it is unknown."""
    problem = viewed.problem
    verdicts = {}
    for run, judged in viewed.trees.items():
        chosen = int(judged.tree.meta.get("chosen", ROOT))
        verdict = judged.right.get(chosen)
        verdicts[str(run)] = None if verdict is None else int(verdict)
    return {
        "id": problem.id,
        "prompt": problem.prompt[:_SHOWN_PROMPT],
        "tags": [tag for tag in (problem.level, problem.subject) if tag],
        "runs": verdicts,
        "attributed": any(judged.attributions for judged in viewed.trees.values()),
    }
