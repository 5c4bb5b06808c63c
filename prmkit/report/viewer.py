"""The trees of some runs, problem by problem, each compressed on its own, so that a page opens only what is looked at.

A file that people send each other must stay small: what does not fit is left out, and counted.
"""

import gzip
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from prmkit.attribution.record import RecordedAttribution
from prmkit.report.pack import Judged, Texts, packed
from prmkit.report.read import Run, single
from prmkit.run.activity import busy
from prmkit.search.result import ProblemCost
from prmkit.tree import ROOT, Problem, StepTree

_SHOWN_PROMPT = 160

ProblemKey = tuple[str, str, str | None]


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
            ``whole`` (how many of them, from the first on, are whole), ``counts`` {solutions, omitted} of all trees.
        chunks: for each problem, its trees: JSON (see ``chunk``), gzip, base64.
    """

    index: dict[str, Any]
    chunks: list[str]


def tree_pages(runs: Sequence[Run], room: int) -> TreePages | None:
    """The trees of these runs within ``room`` bytes; None if there is none.

    Where not all fit, the first problems are whole, and of the others each tree keeps its answer, whatever that takes.
    """
    shown = [run for run in single(runs) if run.trees]
    if not shown:
        return None
    with busy("packing the trees") as activity:
        problems = list(_by_problem(shown))
        pages = []
        for viewed in problems:
            pages.append(_page(viewed, 1))
            activity.share = len(pages) / len(problems)
        whole = _fill(pages, problems, room)
    index = {
        "runs": [{"name": run.name, "title": run.title} for run in shown],
        "problems": [_entry(each) for each in problems],
        "whole": whole,
        "counts": {
            "solutions": sum(len(one.tree.leaves()) for each in problems for one in each.trees.values()),
            "omitted": sum(page.omitted for page in pages),
        },
    }
    return TreePages(index=index, chunks=[page.text for page in pages])


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
    found: dict[ProblemKey, Viewed] = {}
    for number, run in enumerate(runs):
        costs = {cost.problem: cost for cost in run.costs}
        attributions: dict[str, list[RecordedAttribution]] = {}
        for record in run.attributions:
            attributions.setdefault(record.problem_id, []).append(record)
        for tree in run.trees:
            problem = tree.problem
            viewed = found.setdefault((problem.id, problem.prompt, problem.answer), Viewed(problem))
            right = _verdicts(run, tree, costs.get(problem.id))
            explained = {each.leaf: each for each in attributions.get(problem.id, ()) if _matches(tree, each)}
            viewed.trees[number] = Judged(tree=tree, right=right, attributions=explained)
    yield from found.values()


def _verdicts(run: Run, tree: StepTree, cost: ProblemCost | None) -> dict[int, bool]:
    """Of each finished solution where the run was evaluated, else of the chosen one as the search judged it."""
    verdicts = None if run.evaluation is None else run.evaluation.correct.get(tree.problem.id)
    if verdicts is not None:
        pairs = zip(tree.leaves(), verdicts, strict=False)
        return {leaf: right for leaf, right in pairs if tree.finished(leaf)}
    return {tree.chosen: cost.right} if cost is not None and tree.chosen != ROOT else {}


def _matches(tree: StepTree, record: RecordedAttribution) -> bool:
    """Whether the record explains a solution of this tree: the trees may have been made again since."""
    return 0 <= record.leaf < len(tree) and tree.steps(record.leaf) == list(record.steps)


class _Page(NamedTuple):
    """A problem, compressed, and how many solutions that leaves out."""

    text: str
    omitted: int


def _page(viewed: Viewed, solutions: int | None) -> _Page:
    made = chunk(viewed, solutions)
    omitted = sum(tree["omitted"]["solutions"] for tree in made["trees"].values() if "omitted" in tree)
    return _Page(compressed(made), omitted)


def _fill(pages: list[_Page], problems: Sequence[Viewed], room: int) -> int:
    """Put whole trees in the place of cut ones, from the first problem on as far as there is room; return how far."""
    left = room - sum(len(page.text) for page in pages)
    for number, viewed in enumerate(problems):
        page = _page(viewed, None)
        left -= len(page.text) - len(pages[number].text)
        if left < 0:
            return number
        pages[number] = page
    return len(problems)


def _entry(viewed: Viewed) -> dict[str, Any]:
    """The problem in the picker. A verdict is 1 or 0 of the answer, or null where it is unknown."""
    problem = viewed.problem
    verdicts = {}
    for run, judged in viewed.trees.items():
        verdict = judged.right.get(judged.tree.chosen)
        verdicts[str(run)] = None if verdict is None else int(verdict)
    return {
        "id": problem.id,
        "prompt": problem.prompt[:_SHOWN_PROMPT],
        "tags": [tag for tag in (problem.level, problem.subject) if tag],
        "runs": verdicts,
        "attributed": any(judged.attributions for judged in viewed.trees.values()),
    }
