"""Evaluation of a PRM on solutions whose steps are labelled: does it find the first wrong one?"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prmkit.errors import InputError
from prmkit.evaluate.calibration import calibration
from prmkit.evaluate.step_errors import (
    NO_ERROR,
    Threshold,
    best_threshold,
    first_error_f1,
    first_error_of_labels,
    predicted_first_error,
    step_auc,
)
from prmkit.evaluate.steps import by_class, step_report
from prmkit.score import Scorer
from prmkit.tree import StepTree

_CONCURRENT = 512
"""Trees that wait for the scorer at once: enough to fill its batches, few enough to show progress."""


def score_trees(
    trees: Sequence[StepTree], scorer: Scorer, *, done: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Give every step its PRM score, but for those beyond the PRM's context, which keep none.

    ``done`` is called as each tree is scored. Returns ``steps`` scored, ``unscored`` ones, ``tokens`` computed and
    ``seconds``.
    """
    tokens = 0

    async def one(tree: StepTree, room: asyncio.Semaphore) -> None:
        nonlocal tokens
        async with room:
            nodes = [node for node in range(len(tree)) if scorer.fits(tree, node)]
            scores = await scorer.score(tree, nodes)
        for node, value in zip(nodes, scores.values, strict=True):
            tree.set_score(node, value)
        tokens += scores.tokens
        done()

    async def every() -> None:
        room = asyncio.Semaphore(_CONCURRENT)
        async with asyncio.TaskGroup() as group:
            for tree in trees:
                group.create_task(one(tree, room))

    start = time.monotonic()
    try:
        asyncio.run(every())
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    unscored = sum(node.score is None for tree in trees for node in tree)
    return {
        "steps": sum(map(len, trees)) - unscored,
        "unscored": unscored,
        "tokens": tokens,
        "seconds": time.monotonic() - start,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A solution with labels: for each step its score and its label, None where there is none; and its class."""

    scores: tuple[float | None, ...]
    labels: tuple[float | None, ...]
    group: str

    @property
    def judged(self) -> list[float]:
        """The scores; a step that the PRM did not read counts as right."""
        return [1.0 if score is None else score for score in self.scores]

    @property
    def read_labels(self) -> list[float | None]:
        """The labels of the steps that the PRM read."""
        return [None if score is None else label for score, label in zip(self.scores, self.labels, strict=True)]

    @property
    def steps(self) -> list[tuple[float, float]]:
        """(score, label) of the steps that have both."""
        pairs = zip(self.scores, self.labels, strict=True)
        return [(score, label) for score, label in pairs if score is not None and label is not None]


def labelled_solutions(trees: Iterable[StepTree]) -> list[Labelled]:
    """The root-to-leaf paths with a label. Raises InputError if there is none."""
    found = []
    for tree in trees:
        for leaf in tree.leaves():
            path = [tree.nodes[node] for node in tree.path(leaf)]
            if any(node.label is not None for node in path):
                found.append(
                    Labelled(
                        scores=tuple(node.score for node in path),
                        labels=tuple(node.label.value if node.label is not None else None for node in path),
                        group=tree.meta.get("class", ""),
                    )
                )
    if not found:
        raise InputError("no solution has a label", expected="labelled trees")
    return found


def choose_threshold(trees: Iterable[StepTree], split: str) -> Threshold:
    """The threshold with the best first-error F1 on scored trees that are set apart for that; ``split`` names them."""
    solutions = labelled_solutions(trees)
    truth = [first_error_of_labels(one.labels) for one in solutions]
    return best_threshold([one.judged for one in solutions], truth, split=split)


def evaluate_labelled(trees: Iterable[StepTree], threshold: float | Threshold) -> dict[str, Any]:
    """How well step scores find wrong steps, as JSON. A solution is a root-to-leaf path with a label.

    Keys: ``solutions``; ``cut`` (how many have steps without a score, which count as right: the PRM did not read them);
    ``threshold``, and ``threshold_from``, the split it was chosen on (``given``: by the user); ``erroneous``,
    ``correct`` and ``f1``, the official ProcessBench figures at the threshold, where there are solutions of both kinds;
    ``step_auc`` over labelled and scored steps; ``steps``, single steps at the threshold (see steps.py), and
    ``by_class`` where the solutions have classes (PRMBench); ``calibration``; ``best`` {threshold, f1}, chosen on
    these very solutions and so too good to report as a result.

    Raises:
        InputError: there is no labelled solution, or no scored step, or only right or only wrong steps.
    """
    solutions = labelled_solutions(trees)
    value = threshold.value if isinstance(threshold, Threshold) else threshold
    scores, truth = [one.judged for one in solutions], [first_error_of_labels(one.labels) for one in solutions]
    result: dict[str, Any] = {
        "solutions": len(solutions),
        "cut": sum(None in one.scores for one in solutions),
        "threshold": value,
        "threshold_from": threshold.split if isinstance(threshold, Threshold) else "given",
    }
    if len({index == NO_ERROR for index in truth}) == 2:
        report = first_error_f1([predicted_first_error(row, value) for row in scores], truth)
        best = best_threshold(scores, truth, split="these solutions")
        result |= {
            "erroneous": report.erroneous.as_dict(),
            "correct": report.correct.as_dict(),
            "f1": report.f1.as_dict(),
            "best": {"threshold": best.value, "f1": best.f1.as_dict()},
        }
    read = [
        [label if score is not None else None for score, label in zip(one.scores, one.labels, strict=True)]
        for one in solutions
    ]
    result["step_auc"] = step_auc(scores, read).as_dict()
    steps = [(one.group, score, label >= 0.5) for one in solutions for score, label in one.steps]
    result["steps"] = step_report([score for _, score, _ in steps], [right for _, _, right in steps], value).as_dict()
    if all(one.group for one in solutions):
        result["by_class"] = by_class(steps, value)
    result["calibration"] = calibration([one.steps for one in solutions])
    return result
