import math

import numpy as np
import pytest
from numpy.typing import NDArray

from prmkit.errors import InputError
from prmkit.packing.table import RowTable
from prmkit.train.labels import balanced, known, taught
from prmkit.tree import ROOT, Label, Problem, StepTree
from tests.tiny import path_tree, tiny_encoder, tree_rows

FIRST: NDArray[np.int64] = np.array([0])


def rows_of(*labels: float | None) -> RowTable:
    steps = [(str(number), label) for number, label in enumerate(labels, start=1)]
    return tree_rows(path_tree("1 ?", steps), tiny_encoder(), 64).rows


@pytest.mark.parametrize(("above", "want"), [(0.0, [0.0, 1.0, 1.0]), (0.125, [0.0, 0.0, 1.0])])
def test_labels_above_the_threshold_become_right(above: float, want: list[float]) -> None:
    hard = taught(rows_of(0.0, 0.125, None, 1.0), hard_above=above, source_weights={})
    assert math.isnan(hard.labels[2])
    assert hard.labels[[0, 1, 3]].tolist() == want


def test_a_threshold_is_compared_with_the_label_itself() -> None:
    # In single precision 0.1 is more than 0.1.
    assert taught(rows_of(0.1), hard_above=0.1, source_weights={}).labels.tolist() == [0.0]


def test_labels_stay_where_nothing_is_asked_for() -> None:
    rows = rows_of(0.0, 0.125)
    same = taught(rows, hard_above=None, source_weights={"human": 1.0})
    assert same.labels is rows.labels
    assert same.weights is rows.weights


def test_classes_weigh_the_same_in_sum() -> None:
    rows = balanced(rows_of(1.0, 1.0, 1.0, 0.0), FIRST)
    assert rows.weights.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2.0])
    assert rows.row_weights.tolist() == pytest.approx([4.0])


def test_a_soft_label_counts_on_both_sides() -> None:
    rows = balanced(rows_of(0.25, 0.5), FIRST)  # right 0.75 of 2, wrong 1.25 of 2
    assert rows.weights.tolist() == pytest.approx([0.25 * 2 / 1.5 + 0.75 * 2 / 2.5, 0.5 * 2 / 1.5 + 0.5 * 2 / 2.5])


def test_one_class_cannot_be_balanced() -> None:
    with pytest.raises(InputError, match="one class"):
        balanced(rows_of(1.0), FIRST)


def forked(*labels: float) -> RowTable:
    """A row for each label."""
    tree = StepTree(Problem(id="p", prompt="1 ?"))
    for label in labels:
        tree.add(ROOT, "1", label=Label(value=label, source="human"))
    return tree_rows(tree, tiny_encoder(), 64).rows


def test_the_balance_is_that_of_the_chosen_rows() -> None:
    rows = balanced(forked(1.0, 1.0, 0.0, 0.0, 0.0), np.array([0, 1, 2]))
    # Of the chosen ones two are right and one is wrong.
    assert rows.weights[:3].tolist() == pytest.approx([0.75, 0.75, 1.5])


def test_what_is_known_of_chosen_rows() -> None:
    labels, weights = known(forked(1.0, 0.25, 0.0), np.array([1, 2]))
    assert (labels.tolist(), weights.tolist()) == ([0.25, 0.0], [1.0, 1.0])


def test_a_source_has_its_weight() -> None:
    tree = StepTree(Problem(id="p", prompt="1 ?"))
    first = tree.add(ROOT, "1", label=Label(value=1.0, source="human"))
    tree.add(first, "2", label=Label(value=0.0, source="monte-carlo"))
    rows = taught(tree_rows(tree, tiny_encoder(), 64).rows, hard_above=None, source_weights={"monte-carlo": 0.25})
    assert rows.weights.tolist() == [1.0, 0.25]
