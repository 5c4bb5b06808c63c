"""What labels become before they are trained on: hard ones, and their weights."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prmkit.errors import InputError
from prmkit.packing.table import RowTable


def taught(rows: RowTable, *, hard_above: float | None, source_weights: Mapping[str, float]) -> RowTable:
    """The rows with the labels and weights that are taught; the rows themselves where these are the stored ones.

    Args:
        rows: with the labels of their trees.
        hard_above: labels above it become 1 and the others 0; None leaves them. For Monte-Carlo labels, 0 is the best
            threshold known (arXiv 2501.07301, section 3.1.3): a step from which any rollout succeeded is right.
        source_weights: the weight of the labels of a source, 1 where none is given.
    """
    labels, weights = rows.labels, rows.weights
    if hard_above is not None:
        labels = np.where(np.isnan(labels), np.float32("nan"), (labels > hard_above).astype(np.float32))
    of_source = np.array([source_weights.get(source, 1.0) for source in rows.label_sources])
    if (of_source != 1.0).any():
        weights = weights * of_source[rows.sources]
    return rows.with_labels(labels, weights)


def known(rows: RowTable, chosen: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The labels of some rows, and their weights, steps without a label left out."""
    here = steps_of(rows, chosen) & ~np.isnan(rows.labels)
    return rows.labels[here], rows.weights[here]


def balanced(rows: RowTable, chosen: NDArray[np.int64]) -> RowTable:
    """The rows with weights such that right and wrong labels of the chosen ones have the same weight in sum; the whole
    sum stays.

    A soft label y is right to the share y and wrong to the share 1 - y.

    Raises:
        InputError: all labels of the chosen rows are right, or all are wrong.
    """
    labels, weights = known(rows, chosen)
    total, right = math.fsum(weights), math.fsum(weights * labels)
    if not 0 < right < total:
        raise InputError("labels of one class cannot be balanced", where="train.class_balance")
    for_right, for_wrong = total / (2 * right), total / (2 * (total - right))
    shares = rows.labels * for_right + (1 - rows.labels) * for_wrong
    return rows.with_labels(rows.labels, np.where(np.isnan(shares), rows.weights, rows.weights * shares))


def steps_of(rows: RowTable, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of all steps belong to some rows."""
    here = np.zeros(len(rows), dtype=bool)
    here[chosen] = True
    return np.repeat(here, np.diff(rows.step_starts))
