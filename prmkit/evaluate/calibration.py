"""Calibration: whether a score of 0.8 is right eight times in ten.

Source: Naeini et al. 2015 (expected calibration error); Brier 1950.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from prmkit.errors import InputError
from prmkit.run.results import Figures
from prmkit.stats import Estimate, clustered_mean

BINS = 10
LAST_POSITION = 10
"""Steps from this position (from 1) on are reported together."""

Step = tuple[float, float]
"""The score of a step, and 1 or 0 for a right or a wrong one (or a soft label)."""


class Bin(Figures):
    """The steps whose scores lie in [low, high): how many, their mean score, and the share of right ones."""

    low: float
    high: float
    steps: int
    score: float
    right: float


class Position(Figures):
    """The steps at one position of their solutions (from 1; the last one stands for all later ones)."""

    position: str
    steps: int
    score: float
    right: float
    brier: float
    ece: float


class Calibration(Figures):
    """How well scores serve as probabilities.

    Attributes:
        brier: Brier score, its error clustered by solution.
        ece: expected calibration error, over bins of equal width.
        reliability: the bins that hold steps.
        by_position: the positions that there are.
    """

    brier: Estimate
    ece: float
    reliability: list[Bin]
    by_position: list[Position]


def calibration(solutions: Sequence[Sequence[Step]]) -> Calibration:
    """How well scores serve as probabilities.

    Raises:
        InputError: there is no step, or a score is no probability.
    """
    steps = [(score, right, number) for number, row in enumerate(solutions) for score, right in row]
    if not steps:
        raise InputError("no step to calibrate", expected="steps with a score and a label")
    if not all(0.0 <= score <= 1.0 for score, _, _ in steps):
        raise InputError("a score is no probability", expected="scores in [0, 1]")
    reliability = _reliability([(score, right) for score, right, _ in steps])
    positions: defaultdict[int, list[Step]] = defaultdict(list)
    for row in solutions:
        for position, step in enumerate(row, start=1):
            positions[min(position, LAST_POSITION)].append(step)
    return Calibration(
        brier=clustered_mean([(s - r) ** 2 for s, r, _ in steps], [number for _, _, number in steps]),
        ece=_error(reliability),
        reliability=reliability,
        by_position=[_position(position, positions[position]) for position in sorted(positions)],
    )


def _reliability(steps: Sequence[Step]) -> list[Bin]:
    bins: defaultdict[int, list[Step]] = defaultdict(list)
    for score, right in steps:
        bins[min(int(score * BINS), BINS - 1)].append((score, right))
    return [
        Bin(low=number / BINS, high=(number + 1) / BINS, steps=len(bins[number]), **_means(bins[number]))
        for number in sorted(bins)
    ]


def _means(steps: Sequence[Step]) -> dict[str, float]:
    scores, rights = (np.array(values, dtype=np.float64) for values in zip(*steps, strict=True))
    return {"score": float(scores.mean()), "right": float(rights.mean())}


def _error(reliability: Sequence[Bin]) -> float:
    total = sum(each.steps for each in reliability)
    return sum(each.steps * abs(each.score - each.right) for each in reliability) / total


def _position(position: int, steps: Sequence[Step]) -> Position:
    brier = float(np.mean([(score - right) ** 2 for score, right in steps]))
    name = f"{position}+" if position == LAST_POSITION else str(position)
    return Position(position=name, steps=len(steps), brier=brier, ece=_error(_reliability(steps)), **_means(steps))
