"""The area under the ROC curve: how often a right item outscores a wrong one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def placements(scores: Sequence[float], right: Sequence[bool]) -> NDArray[np.float64]:
    """For each item, the share of the items of the other kind that it is on the right side of; ties count half.

    The mean over the right items equals the mean over the wrong ones, and both are the AUC. Both kinds must be there.

    Source: DeLong et al. 1988 (structural components).
    """
    score, is_right = np.asarray(scores, dtype=np.float64), np.asarray(right, dtype=bool)
    placed = np.empty(len(score))
    placed[is_right] = _share_below(np.sort(score[~is_right]), score[is_right])
    placed[~is_right] = 1.0 - _share_below(np.sort(score[is_right]), score[~is_right])
    return placed


def auc(scores: Sequence[float], right: Sequence[bool]) -> float:
    """The probability that a right item outscores a wrong one, ties counting half; NaN unless both kinds are there."""
    if all(right) or not any(right):
        return float("nan")
    return float(placements(scores, right)[np.asarray(right, dtype=bool)].mean())


def _share_below(ordered: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    below = np.searchsorted(ordered, values, side="left")
    not_above = np.searchsorted(ordered, values, side="right")
    return (below + not_above) / (2.0 * len(ordered))
