import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.packing.rows import RowShape, encode_trees
from prmkit.packing.table import TokenRow
from prmkit.tree import ROOT, Label, Problem, StepTree
from tests.packing import plain_rows
from tests.packing.forests import forests
from tests.tiny import human, path_tree, tiny_encoder, tree_rows

ENCODER = tiny_encoder()


def forked() -> StepTree:
    """A labelled prefix of two steps, shared by three leaves: two labelled, one not."""
    tree = StepTree(Problem(id="p", prompt="1 + 2 ?"))
    first = tree.add(ROOT, "1 + 2", label=human(1.0))
    second = tree.add(first, "= 3", label=human(0.7))
    tree.add(second, "3", label=human(0.0))
    tree.add(second, "4", label=human(1.0))
    tree.add(second, "5")
    return tree


def known(row: TokenRow) -> list[tuple[int, float]]:
    return [(index, label) for index, label in enumerate(row.labels) if not math.isnan(label)]


def test_a_shared_prefix_is_supervised_once() -> None:
    found = tree_rows(forked(), ENCODER, 256)
    # Leaf 1 learns the prefix and its own label, leaf 2 its own only, leaf 3 has nothing left to learn.
    assert [known(row) for row in found.rows] == [[(0, 1.0), (1, 0.7), (2, 0.0)], [(2, 1.0)]]
    assert (found.counts.cut, found.counts.dropped, found.counts.labels_lost) == (0, 1, 0)


def test_a_row_is_the_path_of_its_leaf() -> None:
    row = tree_rows(forked(), ENCODER, 256).rows[1]
    ids, ends = ENCODER.path_ids(Problem(id="p", prompt="1 + 2 ?"), ["1 + 2", "= 3", "4"])
    assert row.ids.tolist() == ids
    assert list(row.ends) == ends
    assert row.problems == ("p",)


def test_steps_after_the_last_label_are_left_out() -> None:
    row = tree_rows(path_tree("1 ?", [("1", 1.0), ("2", None), ("3", None)]), ENCODER, 256).rows[0]
    assert row.ids.tolist() == ENCODER.path_ids(Problem(id="p", prompt="1 ?"), ["1"])[0]


def test_rows_are_cut_at_a_step_end_and_the_counts_add_up() -> None:
    # "1 + 2 ? \n" is 5 tokens, "1 + 2 \n" 4, "= 3 \n" 3, the leaves 2 each:
    # the steps of the prefix end at 9 and 12 tokens, the leaves at 14.
    whole, cut, short = (tree_rows(forked(), ENCODER, length) for length in (14, 13, 11))
    assert [row.supervised for row in whole.rows] == [3, 1]
    assert [len(row.ids) for row in cut.rows] == [12]
    assert (cut.counts.cut, cut.counts.dropped, cut.counts.labels_lost) == (3, 2, 2)
    assert [len(row.ids) for row in short.rows] == [9]
    assert (short.counts.cut, short.counts.dropped, short.counts.labels_lost) == (3, 2, 3)


def test_a_tree_without_labels_has_no_rows() -> None:
    found = tree_rows(path_tree("1 ?", [("1", None)]), ENCODER, 256)
    assert (len(found.rows), found.counts.dropped, found.counts.labels_lost) == (0, 1, 0)


@pytest.mark.parametrize("length", [4, 5])
def test_a_problem_that_fills_the_context_is_left_out_and_counted(length: int) -> None:
    found = tree_rows(forked(), ENCODER, length)
    assert (len(found.rows), found.counts.too_long) == (0, 1)


def test_labels_are_floats() -> None:
    tree = path_tree("1 ?", [("1", None), ("2", None), ("3", 0.7)])
    tree.set_label(0, Label(value=True, source="human"))
    row = tree_rows(tree, ENCODER, 256).rows[0]
    assert (row.labels.dtype, row.labels[0], row.labels[2]) == (float, 1.0, 0.7)


@pytest.mark.parametrize("weighting", ["once", "rows"])
@given(forest=forests(), length=st.integers(5, 40), budget=st.none() | st.integers(5, 80))
def test_trees_together_have_the_rows_of_each_alone(
    weighting: Literal["once", "rows"], forest: list[StepTree], length: int, budget: int | None
) -> None:
    found = encode_trees(forest, ENCODER, RowShape(max_length=length, weighting=weighting, budget=budget))
    short = [tree for tree in forest if len(ENCODER.problem_ids(tree.problem)) < length]
    plain = [plain_rows.tree_rows(tree, ENCODER, length, weighting=weighting, budget=budget) for tree in short]
    wanted = [row for tree in plain for row in tree.rows]
    assert len(found.rows) == len(wanted)
    for row, want in zip(found.rows, wanted, strict=True):
        for name in ("ids", "positions", "until", "ends", "labels", "weights"):
            np.testing.assert_array_equal(getattr(row, name), getattr(want, name), err_msg=name)
        assert row.problems == want.problems
    counts = found.counts
    assert (counts.cut, counts.dropped, counts.labels_lost) == tuple(
        sum(getattr(tree, name) for tree in plain) for name in ("cut", "dropped", "labels_lost")
    )
    assert counts.too_long == len(forest) - len(short)
    assert counts.rows == len(wanted)
    assert counts.labels == sum(not math.isnan(label) for row in wanted for label in row.labels)
    assert [found.prompts[index] for index in found.rows.problems] == [
        tree.problem.prompt for tree, rows in zip(short, plain, strict=True) for _ in rows.rows
    ]
