import numpy as np
import pytest

from prmkit.errors import InputError
from prmkit.packing.rows import RowShape, encode_trees
from prmkit.packing.table import COLUMNS, RowTable, joined, refuse_too_many_sources
from prmkit.tree import ROOT, Problem, StepTree
from tests.tiny import human, path_tree, tiny_encoder

ENCODER = tiny_encoder()


def forked() -> StepTree:
    """Problem "1 ?" (3 tokens with its line end); a step of 2 tokens that is shared by steps of 3 and 2."""
    tree = StepTree(Problem(id="fork", prompt="1 ?"))
    first = tree.add(ROOT, "1", label=human(1.0))
    tree.add(first, "2 3", label=human(0.25))
    tree.add(first, "4", label=human(0.0))
    return tree


def table() -> RowTable:
    given = [forked(), path_tree("1 ?", [("5", 1.0), ("6", None)])]
    return encode_trees(given, ENCODER, RowShape(max_length=64, budget=64, weighting="rows")).rows


def test_columns_are_those_of_the_rows_one_after_another() -> None:
    rows = table()
    assert rows.id_starts.tolist() == [0, 10, 15]
    assert rows.step_starts.tolist() == [0, 3, 4]
    assert rows.prompt_tokens.tolist() == [3, 3]
    assert rows.ends.tolist() == [4, 7, 9, 4]
    assert rows.depths.tolist() == [3, 5, 5, 3]
    assert rows.untils.tolist() == [10, 8, 10, 5]
    assert rows.labels.tolist() == [1.0, 0.25, 0.0, 1.0]
    assert rows.weights.tolist() == [2.0, 1.0, 1.0, 1.0]
    assert {name: getattr(rows, name).dtype for name in COLUMNS} == {
        name: np.dtype(kind) for name, kind in COLUMNS.items()
    }


def test_lengths_and_weights_of_all_rows_are_those_of_each() -> None:
    rows = table()
    assert rows.lengths.tolist() == [len(row.ids) for row in rows] == [10, 5]
    assert rows.row_weights.tolist() == [row.weight for row in rows] == [4.0, 1.0]


def test_there_is_no_row_beyond_the_last_one() -> None:
    rows = table()
    for index in (-1, 2):
        with pytest.raises(IndexError):
            rows[index]


def test_labels_may_be_others_and_the_rest_is_shared() -> None:
    rows = table()
    other = rows.with_labels(1 - rows.labels, rows.weights * 2)
    assert other[1].labels.tolist() == [0.0]
    assert other[0].weight == 8.0
    assert other.ids is rows.ids


def test_no_rows_weigh_nothing() -> None:
    empty = encode_trees([], ENCODER, RowShape(max_length=64)).rows
    assert (len(empty), empty.lengths.tolist(), empty.row_weights.tolist()) == (0, [], [])


def test_joined_rows_see_themselves_alone() -> None:
    both = joined(list(table()))
    assert both.positions.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 5, 6, 0, 1, 2, 3, 4]
    assert both.until.tolist() == [*[10] * 5, *[8] * 3, *[10] * 2, *[15] * 5]
    assert both.ends.tolist() == [4, 7, 9, 14]
    assert both.problems == ("fork", "1 ?")
    one = table()[1]
    assert joined([one]) is one


def test_there_are_no_more_label_sources_than_the_column_holds() -> None:
    refuse_too_many_sources([str(number) for number in range(1 << 16)])
    with pytest.raises(InputError, match="more than 65536 sources, got 'x'"):
        refuse_too_many_sources([*map(str, range(1 << 16)), "x"])
