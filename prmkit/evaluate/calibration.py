"""Calibration: whether a score of 0.8 is right eight times in ten.

Source: Naeini et al. 2015 (expected calibration error); Brier 1950.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from prmkit.errors import InputError
from prmkit.stats import clustered_mean

BINS = 10
LAST_POSITION = 10
"""Steps from this position (from 1) on are reported together."""

Step = tuple[float, float]
"""The score of a step, and 1 or 0 for a right or a wrong one (or a soft label)."""


def calibration(solutions: Sequence[Sequence[Step]]) -> dict[str, Any]:
    """How well scores serve as probabilities, as JSON.

    Keys: ``brier`` {value, stderr, n}, its error clustered by solution; ``ece``, over bins of equal width;
    ``reliability``, for each bin that holds steps {low, high, steps, score, right}: their mean score and share of right
    ones; ``by_position``, for each position of a step in its solution {position, steps, score, right, brier, ece}.

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
    return {
        "brier": clustered_mean([(s - r) ** 2 for s, r, _ in steps], [number for _, _, number in steps]).as_dict(),
        "ece": _error(reliability),
        "reliability": reliability,
        "by_position": [_position(position, positions[position]) for position in sorted(positions)],
    }


def _reliability(steps: Sequence[Step]) -> list[dict[str, float]]:
    bins: defaultdict[int, list[Step]] = defaultdict(list)
    for score, right in steps:
        bins[min(int(score * BINS), BINS - 1)].append((score, right))
    return [{"low": number / BINS, "high": (number + 1) / BINS, **_means(bins[number])} for number in sorted(bins)]


def _means(steps: Sequence[Step]) -> dict[str, float]:
    scores, rights = (np.array(values, dtype=np.float64) for values in zip(*steps, strict=True))
    return {"steps": len(steps), "score": float(scores.mean()), "right": float(rights.mean())}


def _error(reliability: Sequence[dict[str, float]]) -> float:
    total = sum(row["steps"] for row in reliability)
    return float(sum(row["steps"] * abs(row["score"] - row["right"]) for row in reliability) / total)


def _position(position: int, steps: Sequence[Step]) -> dict[str, float | str]:
    brier = float(np.mean([(score - right) ** 2 for score, right in steps]))
    name = f"{position}+" if position == LAST_POSITION else str(position)
    return {"position": name, **_means(steps), "brier": brier, "ece": _error(_reliability(steps))}
