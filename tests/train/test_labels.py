import pytest

from prmkit.errors import InputError
from prmkit.packing.rows import tree_rows
from prmkit.train.labels import balanced, hardened, weights_by_source
from prmkit.tree import ROOT, Label, Problem, StepTree
from tests.tiny import path_tree, tiny_encoder


def test_labels_above_the_threshold_become_right() -> None:
    tree = path_tree("1 ?", [("1", 0.0), ("2", 0.125), ("3", None)])
    assert [n.label and n.label.value for n in hardened(tree, 0.0)] == [0.0, 1.0, None]
    assert [n.label and n.label.value for n in hardened(tree, 0.125)] == [0.0, 0.0, None]
    assert hardened(tree, None) is tree
    assert [n.label and n.label.value for n in tree] == [0.0, 0.125, None]


def test_classes_weigh_the_same_in_sum() -> None:
    rows = tree_rows(path_tree("1 ?", [("1", 1.0), ("2", 1.0), ("3", 1.0), ("4", 0.0)]), tiny_encoder(), 64).rows
    (row,) = balanced(rows)
    assert row.weights == pytest.approx((2 / 3, 2 / 3, 2 / 3, 2.0))
    assert row.weight == pytest.approx(4.0)


def test_a_soft_label_counts_on_both_sides() -> None:
    rows = tree_rows(path_tree("1 ?", [("1", 0.25), ("2", 0.5)]), tiny_encoder(), 64).rows
    (row,) = balanced(rows)  # right 0.75 of 2, wrong 1.25 of 2
    assert row.weights == pytest.approx((0.25 * 2 / 1.5 + 0.75 * 2 / 2.5, 0.5 * 2 / 1.5 + 0.5 * 2 / 2.5))


def test_one_class_cannot_be_balanced() -> None:
    with pytest.raises(InputError, match="one class"):
        balanced(tree_rows(path_tree("1 ?", [("1", 1.0)]), tiny_encoder(), 64).rows)


def test_a_source_has_its_weight() -> None:
    tree = StepTree(Problem(id="p", prompt="1 ?"))
    first = tree.add(ROOT, "1", label=Label(value=1.0, source="human"))
    tree.add(first, "2", label=Label(value=0.0, source="monte-carlo"))
    weigh = weights_by_source({"monte-carlo": 0.25})
    (row,) = tree_rows(tree, tiny_encoder(), 64, weigh=weigh).rows
    assert row.weights == (1.0, 0.25)
