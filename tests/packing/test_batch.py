import math

import numpy as np
import pytest
import torch

from prmkit.models.layout import dense_mask, packed_layout
from prmkit.packing.batch import StepBatch, collate
from prmkit.packing.sequence import pack
from prmkit.tree import ROOT, Label, Problem, StepTree
from tests.tiny import human, path_tree, tiny_encoder, tree_rows

ENCODER = tiny_encoder()

# A word is a token, and so is the line end behind the problem and each step.
LONG = tree_rows(path_tree("1 + 2 ?", [("1 + 2", None), ("= 3", 0.0), ("4", 1.0)]), ENCODER, 99).rows  # 5 + 4 + 3 + 2
SHORT = tree_rows(path_tree("1 ?", [("1", 0.7)]), ENCODER, 99).rows  # 3 + 2 tokens

TENSORS = ("ids_BT", "mask_BT", "ends_BS", "labels_BS", "weights_BS", "steps_B")


def forked() -> StepTree:
    """A step that is shared by two others."""
    tree = StepTree(Problem(id="fork", prompt="1 ?"))
    first = tree.add(ROOT, "1", label=human(0.5))
    tree.add(first, "2 2", label=human(1.0))
    tree.add(first, "3", label=human(0.0))
    return tree


def same(one: StepBatch, other: StepBatch) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in TENSORS)


def test_rows_are_padded_on_the_right_and_what_is_no_label_weighs_nothing() -> None:
    batch = collate([*LONG, *SHORT])
    assert batch.ids_BT.tolist() == [LONG[0].ids.tolist(), [*SHORT[0].ids.tolist(), *[0] * 9]]
    assert batch.mask_BT.tolist() == [[1] * 14, [1] * 5 + [0] * 9]
    assert batch.ends_BS.tolist() == [[8, 11, 13], [4, 0, 0]]
    assert batch.steps_B.tolist() == [3, 1]
    torch.testing.assert_close(batch.labels_BS, torch.tensor([[0.0, 0.0, 1.0], [0.7, 0.0, 0.0]]))
    # A label of 0 is a label, an unknown one is none.
    assert batch.weights_BS.tolist() == [[0, 1, 1], [1, 0, 0]]
    assert batch.total_weight == 3.0


def test_labels_are_floats_whatever_they_were() -> None:
    tree = path_tree("1 ?", [("1", None), ("2", None), ("3", 0.7)])
    tree.set_label(0, Label(value=True, source="human"))
    batch = collate(tree_rows(tree, ENCODER, 99).rows)
    assert batch.labels_BS.dtype == batch.weights_BS.dtype == torch.float32
    torch.testing.assert_close(batch.labels_BS, torch.tensor([[1.0, 0.0, 0.7]]))


def test_the_order_of_rows_is_that_of_the_batch_and_changes_nothing_else() -> None:
    forth, back = collate([*LONG, *SHORT]), collate([*SHORT, *LONG])
    for name in TENSORS:
        assert torch.equal(getattr(forth, name), getattr(back, name).flip(0)), name
    assert (forth.total_weight, forth.tokens, forth.pairs) == (back.total_weight, back.tokens, back.pairs)
    assert forth.problems == back.problems[::-1]


def test_a_row_is_the_same_in_any_company() -> None:
    alone, beside = collate(SHORT), collate([*LONG, *SHORT])
    for name in ("ids_BT", "mask_BT", "ends_BS", "labels_BS", "weights_BS"):
        width = getattr(alone, name).shape[1]
        assert torch.equal(getattr(beside, name)[1:, :width], getattr(alone, name)), name


def test_tokens_and_pairs_are_counted_without_padding() -> None:
    batch = collate([*LONG, *SHORT])
    # A token attends to itself and all before it: 14 x 15 / 2 and 5 x 6 / 2.
    assert (batch.tokens, batch.pairs) == (19, 105 + 15)
    packed = collate(pack(SHORT, np.array([0, 0]), budget=10))
    assert packed.ids_BT.shape == (1, 10)
    assert (packed.tokens, packed.pairs) == (10, 2 * 15)


def test_weights_may_be_scaled_and_divided_by_those_of_a_larger_step() -> None:
    plain, scaled = collate([*LONG, *SHORT]), collate([*LONG, *SHORT], scale=0.25)
    assert scaled.weights_BS.tolist() == (plain.weights_BS * 0.25).tolist()
    assert scaled.total_weight == 0.75
    part = collate(SHORT, 12.0, scale=0.25)
    assert (part.weights_BS.tolist(), part.total_weight) == ([[0.25]], 12.0)


def test_a_label_weighs_what_its_row_says() -> None:
    rows = tree_rows(forked(), ENCODER, 99, weighting="rows", budget=99).rows
    batch = collate(rows.with_labels(rows.labels, rows.weights * [1.0, 1.5, 0.5]))
    # The shared step stands once and counts for both paths.
    assert batch.weights_BS.tolist() == [[2.0, 1.5, 0.5]]
    assert batch.labels_BS.tolist() == [[0.5, 1.0, 0.0]]


def test_each_problem_is_named_once() -> None:
    rows = [*SHORT, *tree_rows(forked(), ENCODER, 99).rows, *SHORT]
    assert collate(rows).problems == ("1 ?", "fork")


def test_where_every_token_attends_to_all_before_it_there_is_nothing_to_say() -> None:
    assert collate([*LONG, *SHORT]).packing is None


def test_packed_rows_say_who_attends_to_whom_and_padding_only_to_itself() -> None:
    # "1 ? \n" 0-2, "1 \n" 3-4, and after those "2 2 \n" 5-7 or "3 \n" 8-9.
    (tree,) = tree_rows(forked(), ENCODER, 99, budget=99).rows
    batch = collate([tree, *SHORT])
    assert batch.packing is not None
    assert batch.packing.positions_BT.tolist() == [[0, 1, 2, 3, 4, 5, 6, 7, 5, 6], [0, 1, 2, 3, 4, *[0] * 5]]
    assert batch.packing.until_BT.tolist() == [[10] * 5 + [8] * 3 + [10] * 2, [5] * 5 + [6, 7, 8, 9, 10]]
    mask_BTT = dense_mask(packed_layout(batch.packing))[:, 0]
    assert mask_BTT[0, 8].tolist() == [True] * 5 + [False] * 3 + [True, False]  # "3" does not see its sibling
    assert mask_BTT[1, :5, :5].tolist() == torch.ones(5, 5).tril().bool().tolist()
    assert mask_BTT[1, 5:].tolist() == [[at == other for other in range(10)] for at in range(5, 10)]
    assert int(mask_BTT.sum()) == batch.pairs + 5  # the padding


@pytest.mark.parametrize("budget", [None, 99])
def test_a_batch_is_moved_with_all_that_belongs_to_it(budget: int | None) -> None:
    batch = collate(tree_rows(forked(), ENCODER, 99, budget=budget).rows, 7.0)
    moved = batch.to(torch.device("meta"))
    assert {getattr(moved, name).device.type for name in TENSORS} == {"meta"}
    for name in TENSORS:
        assert getattr(moved, name).shape == getattr(batch, name).shape
        assert getattr(moved, name).dtype == getattr(batch, name).dtype
    assert (moved.packing is None) == (budget is None)
    if moved.packing is not None:
        assert {tensor.device.type for tensor in moved.packing} == {"meta"}
    for name in ("total_weight", "tokens", "pairs", "problems"):
        assert getattr(moved, name) == getattr(batch, name)
    assert same(batch.to(torch.device("cpu")), batch)


def test_no_label_is_left_that_is_no_number() -> None:
    batch = collate([*LONG, *SHORT])
    assert not batch.labels_BS.isnan().any()
    assert math.isnan(LONG[0].labels[0])  # in the row an unknown label is NaN, which would spoil every sum
