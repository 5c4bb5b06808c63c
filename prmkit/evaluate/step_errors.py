"""Finding the first wrong step, as ProcessBench measures it.

A first error is the 0-based index of the first wrong step, -1 where every step is right.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prmkit.errors import InputError
from prmkit.evaluate.auc import placements
from prmkit.stats import Estimate, clustered_mean, mean

NO_ERROR = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class StepErrorReport:
    """Accuracy, in [0, 1], on the solutions with an error (the very step must be found) and on those without one.

    ``f1`` is their harmonic mean, 0 where both are 0. Its standard error is that of
    the delta method, unknown (NaN) where both are 0.
    """

    erroneous: Estimate
    correct: Estimate
    f1: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A threshold, the split it was chosen on, and the F1 it has there."""

    value: float
    split: str
    f1: Estimate


def predicted_first_error(step_scores: Sequence[float], threshold: float = 0.5) -> int:
    """The first step scored below the threshold, -1 where there is none."""
    return next((index for index, score in enumerate(step_scores) if score < threshold), NO_ERROR)


def first_error_of_labels(labels: Sequence[float | None]) -> int:
    """The first step whose label is below 1/2, -1 where there is none; steps without a label are passed over.

    Raises:
        InputError: no step has a label.
    """
    if all(label is None for label in labels):
        raise InputError("no step has a label", got=list(labels))
    return next((index for index, label in enumerate(labels) if label is not None and label < 0.5), NO_ERROR)


def first_error_f1(predicted: Sequence[int], truth: Sequence[int]) -> StepErrorReport:
    """How well first errors were found.

    Source: arXiv 2412.06559, section 4.1, and the evaluation code of ProcessBench.

    Raises:
        InputError: the arguments differ in length, or there is no erroneous or no correct solution.
    """
    if len(predicted) != len(truth):
        raise InputError("predictions and solutions differ in number", got=(len(predicted), len(truth)))
    found: dict[bool, list[float]] = {True: [], False: []}
    for guess, index in zip(predicted, truth, strict=True):
        found[index != NO_ERROR].append(float(guess == index))
    if not (found[True] and found[False]):
        raise InputError(
            "F1 needs solutions with and without an error",
            got=f"{len(found[True])} with, {len(found[False])} without",
            cure="Evaluate on more solutions.",
        )
    return _report(mean(found[True]), mean(found[False]))


def best_threshold(scores: Sequence[Sequence[float]], truth: Sequence[int], *, split: str) -> Threshold:
    """The threshold with the best F1 on this split; of equally good ones, that nearest to 1/2.

    A solution is judged rightly exactly for the thresholds in one interval: above the score of its first wrong step, up
    to the lowest score before it. So all thresholds are tried in one sweep.

    Args:
        scores: step scores of each solution.
        truth: first error of each solution.
        split: the name of the data, which must not be the data the threshold is reported on.

    Raises:
        InputError: as ``first_error_f1``, or a first error is no step of its solution.
    """
    lows, highs = _rightly_judged_intervals(scores, truth)
    values = np.unique(np.concatenate([np.asarray(row, dtype=np.float64) for row in scores]))
    candidates = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2, [np.nextafter(values[-1], np.inf)]])
    wrong = np.asarray(truth) != NO_ERROR
    with_error = _share_covering(candidates, lows[wrong], highs[wrong])
    without = _share_covering(candidates, lows[~wrong], highs[~wrong])
    both = with_error + without
    f1 = np.divide(2 * with_error * without, both, out=np.zeros_like(both), where=both > 0)
    best = candidates[f1 >= f1.max() - 1e-12]
    value = float(best[np.argmin(np.abs(best - 0.5))])
    predicted = [predicted_first_error(row, value) for row in scores]
    return Threshold(value=value, split=split, f1=first_error_f1(predicted, truth).f1)


def step_auc(scores: Sequence[Sequence[float]], labels: Sequence[Sequence[float | None]]) -> Estimate:
    """The probability that a right step (label at least 1/2) outscores a wrong one, ties counting half.

    Steps of all solutions are pooled, those without a label left out. The standard error is clustered by solution, and
    ``n`` counts the solutions with a label.

    Source: DeLong et al. 1988; clusters: Obuchowski 1997.

    Raises:
        InputError: lengths differ, or there is no right or no wrong step.
    """
    if len(scores) != len(labels) or any(len(s) != len(v) for s, v in zip(scores, labels, strict=False)):
        raise InputError("scores and labels do not fit together", got=(len(scores), len(labels)))
    steps = [
        (score, label >= 0.5, solution)
        for solution, (row, values) in enumerate(zip(scores, labels, strict=True))
        for score, label in zip(row, values, strict=True)
        if label is not None
    ]
    right = np.array([step[1] for step in steps], dtype=bool)
    if not right.any() or right.all():
        raise InputError("AUC needs right and wrong steps", got=f"{right.sum()} right of {len(steps)}")
    placed = placements([step[0] for step in steps], [step[1] for step in steps])
    value = float(placed[right].mean())
    # Each step's pull on the AUC, scaled so that their mean is the AUC's own error.
    share = np.where(right, right.mean(), 1.0 - right.mean())
    pulls = (placed - value) / share
    spread = clustered_mean(pulls.tolist(), [step[2] for step in steps])
    return Estimate(value=value, stderr=spread.stderr, n=spread.n)


def _report(erroneous: Estimate, correct: Estimate) -> StepErrorReport:
    a, b, n = erroneous.value, correct.value, erroneous.n + correct.n
    f1 = Estimate(value=0.0, stderr=math.nan, n=n)
    if a + b > 0:
        slope_a, slope_b = 2 * (b / (a + b)) ** 2, 2 * (a / (a + b)) ** 2
        stderr = math.hypot(slope_a * erroneous.stderr, slope_b * correct.stderr)
        f1 = Estimate(value=2 * a * b / (a + b), stderr=stderr, n=n)
    return StepErrorReport(erroneous=erroneous, correct=correct, f1=f1)


def _rightly_judged_intervals(
    scores: Sequence[Sequence[float]], truth: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(scores) != len(truth) or not truth:
        raise InputError("scores and solutions differ in number", got=(len(scores), len(truth)), expected="equal, > 0")
    lows, highs = [], []
    for number, (row, index) in enumerate(zip(scores, truth, strict=True)):
        if not NO_ERROR <= index < len(row):
            raise InputError("no such step", where=f"solution {number}", got=index, expected=f"-1 to {len(row) - 1}")
        lows.append(row[index] if index != NO_ERROR else -math.inf)
        highs.append(min(row[:index] if index != NO_ERROR else row, default=math.inf))
    return np.array(lows), np.array(highs)


def _share_covering(
    values: NDArray[np.float64], lows: NDArray[np.float64], highs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """For each value, the share of the intervals (low, high] that hold it; empty intervals hold nothing."""
    kept = lows < highs
    started = np.searchsorted(np.sort(lows[kept]), values, side="left")
    ended = np.searchsorted(np.sort(highs[kept]), values, side="left")
    return (started - ended) / max(len(lows), 1)
