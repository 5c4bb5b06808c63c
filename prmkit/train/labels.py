"""What labels become before they are trained on: hard ones, and their weights."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from prmkit.errors import InputError
from prmkit.packing.rows import TokenRow
from prmkit.tree import Label, StepTree


def hardened(tree: StepTree, above: float | None) -> StepTree:
    """The tree with labels above ``above`` as 1 and the others as 0; the tree itself where ``above`` is None.

    For Monte-Carlo labels, 0 is the best threshold known (arXiv 2501.07301, section 3.1.3): a step from which any
    rollout succeeded is right.
    """
    if above is None:
        return tree
    hard = StepTree(tree.problem, list(tree.nodes), tree.meta)
    for index, node in enumerate(tree):
        if node.label is not None:
            hard.set_label(index, replace(node.label, value=float(node.label.value > above)))
    return hard


def weights_by_source(weights: Mapping[str, float]) -> Callable[[Label], float]:
    """The weight of a label: that of its source, 1 where none is given."""
    return lambda label: weights.get(label.source, 1.0)


def balanced(rows: Sequence[TokenRow]) -> list[TokenRow]:
    """The rows with weights such that right and wrong labels have the same weight in sum; the whole sum stays.

    A soft label y is right to the share y and wrong to the share 1 - y.

    Raises:
        InputError: all labels are right, or all are wrong.
    """
    known = [(label, weight) for row in rows for label, weight in _labels(row) if not math.isnan(label)]
    total = math.fsum(weight for _, weight in known)
    right = math.fsum(weight * label for label, weight in known)
    if not 0 < right < total:
        raise InputError("labels of one class cannot be balanced", where="train.class_balance")
    for_right, for_wrong = total / (2 * right), total / (2 * (total - right))

    def share(label: float) -> float:
        return 1.0 if math.isnan(label) else label * for_right + (1 - label) * for_wrong

    return [replace(row, weights=tuple(weight * share(label) for label, weight in _labels(row))) for row in rows]


def _labels(row: TokenRow) -> list[tuple[float, float]]:
    return list(zip(row.labels, row.weights, strict=True))
