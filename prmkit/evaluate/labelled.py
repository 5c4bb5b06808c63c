"""Evaluation of a PRM on solutions whose steps are labelled: does it find the first wrong one?"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prmkit.errors import InputError
from prmkit.evaluate.calibration import Calibration, calibration
from prmkit.evaluate.resumable import Finished
from prmkit.evaluate.step_errors import (
    NO_ERROR,
    Threshold,
    best_threshold,
    first_error_f1,
    first_error_of_labels,
    predicted_first_error,
    step_auc,
)
from prmkit.evaluate.steps import ClassReports, StepReport, by_class, class_reports, step_report
from prmkit.run.results import Figures, Result
from prmkit.score import Scorer
from prmkit.score.reading import reads_of, score_readable
from prmkit.sources.corpus import CorpusRecord
from prmkit.stats import Estimate, mean
from prmkit.tree import StepTree

_CONCURRENT = 512
"""Trees that wait for the scorer at once: enough to fill its batches, few enough to show progress."""


class ScoringCost(Figures):
    """What it took to score steps.

    Attributes:
        steps: that were scored.
        unscored: that the PRM could not read.
        windowed: of those scored, how many were read without the beginning of their path, which is longer than the
            PRM's context.
        tokens: that were computed.
        seconds: of the wall clock.
    """

    steps: int
    unscored: int
    windowed: int = 0
    tokens: int
    seconds: float


def score_trees(
    trees: Sequence[StepTree],
    scorer: Scorer,
    *,
    done: Callable[[int], None] = lambda count: None,
    finished: Finished | None = None,
) -> ScoringCost:
    """Give every step that the PRM reads its score, but for those that it cannot read, which keep none.

    Args:
        trees: that are changed; each notes which steps are read.
        scorer: of the steps.
        done: told as each tree is scored.
        finished: where scores are kept as they are found, and taken from.
    """
    known = finished or Finished(None)
    reads, tokens, windowed = reads_of(scorer), 0, 0

    async def one(number: int, room: asyncio.Semaphore) -> None:
        nonlocal tokens, windowed
        tree = trees[number]
        tree.note_reads(reads)
        async with room:
            record = known.get(number)
            if record is None:
                nodes, found = await score_readable(scorer, tree, list(filter(tree.is_read, range(len(tree)))))
                record = {"nodes": nodes, "scores": list(found.values), "tokens": found.tokens}
                record["windowed"] = found.windowed
                known.put(number, record)
        for node, value in zip(record["nodes"], record["scores"], strict=True):
            tree.set_score(node, value)
        tokens += record["tokens"]
        windowed += record.get("windowed", 0)  # which an older prmkit did not write
        done(1)

    async def every() -> None:
        room = asyncio.Semaphore(_CONCURRENT)
        async with asyncio.TaskGroup() as group:
            for number in range(len(trees)):
                group.create_task(one(number, room))

    start = time.monotonic()
    try:
        asyncio.run(every())
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    scores = [tree.nodes[node].score for tree in trees for node in range(len(tree)) if tree.is_read(node)]
    unscored = scores.count(None)
    return ScoringCost(
        steps=len(scores) - unscored,
        unscored=unscored,
        windowed=windowed,
        tokens=tokens,
        seconds=time.monotonic() - start,
    )


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
        """The labels, None for those of steps that the PRM did not read."""
        return [None if score is None else label for score, label in zip(self.scores, self.labels, strict=True)]

    @property
    def steps(self) -> list[tuple[float, float]]:
        """(score, label) of the steps that have both."""
        pairs = zip(self.scores, self.labels, strict=True)
        return [(score, label) for score, label in pairs if score is not None and label is not None]


def labelled_solutions(trees: Iterable[StepTree]) -> list[Labelled]:
    """The root-to-leaf paths with a label, of the steps that the PRM reads. Raises InputError if there is none."""
    found = []
    for tree in trees:
        for leaf in tree.leaves():
            path = [tree.nodes[node] for node in tree.read_path(leaf)]
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


def refuse_labels(trees: Iterable[StepTree]) -> None:
    """Raises InputError as ``evaluate_labelled`` does for labels alone, before a step is scored."""
    labelled_solutions(trees)


def refuse_choice(trees: Iterable[StepTree]) -> None:
    """Raises InputError as ``choose_threshold`` does for labels alone, before a step is scored."""
    truth = [first_error_of_labels(one.labels) for one in labelled_solutions(trees)]
    first_error_f1(truth, truth)


def choose_threshold(trees: Iterable[StepTree], split: str) -> Threshold:
    """The threshold with the best first-error F1 on scored trees that are set apart for that; ``split`` names them."""
    solutions = labelled_solutions(trees)
    truth = [first_error_of_labels(one.labels) for one in solutions]
    return best_threshold([one.judged for one in solutions], truth, split=split)


class BestThreshold(Figures):
    """The threshold with the best F1 on the very solutions it is reported on: too good to report as a result."""

    threshold: float
    f1: Estimate


class LabelledFigures(Figures):
    """How well step scores find wrong steps. A solution is a root-to-leaf path with a label.

    Attributes:
        solutions: how many.
        repeated: how many were passed over, since one of their class and problem id stood before them (PRMBench).
        cut: how many have steps without a score, which count as right: the PRM could not read them.
        threshold: below it a step is called wrong.
        threshold_from: the split it was chosen on; ``given``: by the user.
        erroneous: the share of solutions with a wrong step whose first one was found; None where there is no such one.
        correct: the share of right solutions in which no step was called wrong; None where there is no such one.
        f1: the harmonic mean of both, ProcessBench's figure; None where one of them is.
        best: what the best threshold would have given; None as well.
        step_auc: over labelled and scored steps; None unless there are right ones and wrong ones.
        steps: single steps at the threshold.
        by_class: the same by class, where the solutions have classes (PRMBench).
        calibration: of the scores.
    """

    solutions: int
    repeated: int = 0
    cut: int
    threshold: float
    threshold_from: str
    erroneous: Estimate | None = None
    correct: Estimate | None = None
    f1: Estimate | None = None
    best: BestThreshold | None = None
    step_auc: Estimate | None = None
    steps: StepReport
    by_class: ClassReports | None = None
    calibration: Calibration


class StepsResult(LabelledFigures, Result):
    """The same, and what it was computed from.

    Attributes:
        corpus: what was read.
        scoring: what the PRM's scores cost.
        seconds: of the whole evaluation.
    """

    kind = "steps"
    version = 2

    corpus: CorpusRecord
    scoring: ScoringCost
    seconds: float

    @classmethod
    def upgraded(cls, record: dict[str, Any], version: int) -> dict[str, Any]:
        """Before version 2 the score of ``multi_solutions`` was halved, and that of all steps the mean of the classes.

        Both follow from what is there.
        """
        if record.get("by_class") is None:
            return record
        reports = {name: StepReport(**report) for name, report in record["by_class"]["classes"].items()}
        return {**record, "by_class": class_reports(reports, StepReport(**record["steps"]))}


def evaluate_labelled(trees: Iterable[StepTree], threshold: float | Threshold) -> LabelledFigures:
    """How well step scores find wrong steps.

    Raises:
        InputError: there is no labelled solution, or no scored step.
    """
    every = list(trees)
    kept = _first_of_each(every)
    solutions = labelled_solutions(kept)
    value = threshold.value if isinstance(threshold, Threshold) else threshold
    scores, truth = [one.judged for one in solutions], [first_error_of_labels(one.labels) for one in solutions]
    labels = [one.read_labels for one in solutions]
    steps = [(one.group, score, label >= 0.5) for one in solutions for score, label in one.steps]
    both = len({right for _, _, right in steps}) == 2
    return LabelledFigures(
        solutions=len(solutions),
        repeated=len(every) - len(kept),
        cut=sum(None in one.scores for one in solutions),
        threshold=value,
        threshold_from=threshold.split if isinstance(threshold, Threshold) else "given",
        **_first_errors(scores, truth, value),
        step_auc=step_auc(scores, labels) if both else None,
        steps=step_report([score for _, score, _ in steps], [right for _, _, right in steps], value),
        by_class=by_class(steps, value) if all(one.group for one in solutions) else None,
        calibration=calibration([one.steps for one in solutions]),
    )


def _first_of_each(trees: Iterable[StepTree]) -> list[StepTree]:
    """Without those of a class whose problem id stood before in it: PRMBench's evaluation takes the first alone."""
    kept: dict[object, StepTree] = {}
    for number, tree in enumerate(trees):
        name = tree.meta.get("class", "")
        kept.setdefault((name, tree.problem.id) if name else number, tree)
    return list(kept.values())


def _first_errors(scores: Sequence[Sequence[float]], truth: Sequence[int], threshold: float) -> dict[str, Any]:
    """The figures of first errors, as far as there are solutions with an error, and without one."""
    predicted = [predicted_first_error(row, threshold) for row in scores]
    if len({index == NO_ERROR for index in truth}) < 2:
        kind = "correct" if truth[0] == NO_ERROR else "erroneous"
        return {kind: mean([float(guess == index) for guess, index in zip(predicted, truth, strict=True)])}
    report = first_error_f1(predicted, truth)
    best = best_threshold(scores, truth, split="these solutions")
    return {
        "erroneous": report.erroneous,
        "correct": report.correct,
        "f1": report.f1,
        "best": BestThreshold(threshold=best.value, f1=best.f1),
    }
