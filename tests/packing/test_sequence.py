import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.batch import StepBatch, collate
from prmkit.packing.rows import RowShape, encode_trees
from prmkit.packing.sequence import Sequences, pack
from prmkit.packing.table import Rows, RowTable
from prmkit.tree import ROOT, Problem, StepTree
from tests.packing import plain_rows
from tests.packing.forests import trees
from tests.tiny import human, tiny_backbone, tiny_encoder, tree_rows

ENCODER = tiny_encoder()


@pytest.fixture(scope="module")
def prm(tmp_path_factory: pytest.TempPathFactory) -> PRM:
    name = tiny_backbone(tmp_path_factory.mktemp("backbone"))
    torch.manual_seed(0)
    return PRM.from_backbone(name, ModelConfig(name=name, max_length=64)).eval()


def losses(prm: PRM, batch: StepBatch) -> torch.Tensor:
    logits_BS = prm(batch.ids_BT, batch.mask_BT, batch.ends_BS, batch.packing)
    all_BS = torch.nn.functional.binary_cross_entropy_with_logits(logits_BS, batch.labels_BS, reduction="none")
    return (all_BS * batch.weights_BS).sum()


def gradient(prm: PRM, rows: Rows) -> tuple[float, torch.Tensor]:
    """The summed loss of some rows, and its gradient by all weights."""
    loss = losses(prm, collate([rows[index] for index in range(len(rows))]))
    gradients = torch.autograd.grad(loss, list(prm.parameters()))
    return float(loss.detach()), torch.cat([each.flatten() for each in gradients])


@pytest.mark.parametrize("weighting", ["once", "rows"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(forest=st.lists(trees(), min_size=1, max_size=4), length=st.integers(8, 30), budget=st.integers(8, 80))
def test_packing_changes_neither_loss_nor_gradient(
    prm: PRM, weighting: str, forest: list[StepTree], length: int, budget: int
) -> None:
    shapes = [RowShape(max_length=length, weighting=weighting, budget=share) for share in (None, budget)]  # type: ignore[arg-type]
    paths, subtrees = (encode_trees(forest, ENCODER, shape).rows for shape in shapes)
    if not len(paths):
        assert not len(subtrees)
        return
    modes: dict[str, Rows] = {"tree": subtrees, "sequence": packed(paths, budget), "both": packed(subtrees, budget)}
    loss, slope = gradient(prm, paths)
    for name, rows in modes.items():
        other_loss, other_slope = gradient(prm, rows)
        assert other_loss == pytest.approx(loss, rel=1e-5, abs=1e-6), name
        torch.testing.assert_close(other_slope, slope, rtol=1e-4, atol=1e-5, msg=name)
        weights = [rows[index].weight for index in range(len(rows))]
        assert sum(weights) == paths.row_weights.sum()
    assert subtrees.lengths.sum() <= paths.lengths.sum()


def packed(rows: RowTable, budget: int) -> Sequences:
    return pack(rows, np.arange(len(rows)), budget)


def forked() -> StepTree:
    """Problem "1 + 2 ?" (5 tokens with its line end); steps of 4, 3, 2 and 2 tokens; the last two are siblings."""
    tree = StepTree(Problem(id="p", prompt="1 + 2 ?"))
    first = tree.add(ROOT, "1 + 2", label=human(1.0))
    second = tree.add(first, "= 3", label=human(0.7))
    tree.add(second, "3", label=human(0.0))
    tree.add(second, "4", label=human(1.0))
    return tree


def test_a_tree_is_written_depth_first_with_depth_as_position() -> None:
    (row,) = tree_rows(forked(), ENCODER, 64, budget=64).rows
    assert row.positions.tolist() == [*range(12), 12, 13, 12, 13]
    assert row.until.tolist() == [16] * 12 + [14] * 2 + [16] * 2
    assert row.ends.tolist() == [8, 11, 13, 15]
    assert row.labels.tolist() == [1.0, 0.7, 0.0, 1.0]
    assert (row.weights.tolist(), row.plain) == ([1.0] * 4, False)


def test_by_rows_a_shared_step_weighs_as_many_paths_as_go_through_it() -> None:
    (row,) = tree_rows(forked(), ENCODER, 64, weighting="rows", budget=64).rows
    assert row.weights.tolist() == [2.0, 2.0, 1.0, 1.0]
    flat = tree_rows(forked(), ENCODER, 64, weighting="rows").rows
    assert [one.labels.tolist() for one in flat] == [[1.0, 0.7, 0.0], [1.0, 0.7, 1.0]]


def test_a_tree_that_is_too_large_is_cut_between_paths_and_its_prefix_is_read_again() -> None:
    first, second = tree_rows(forked(), ENCODER, 64, budget=15).rows
    assert (len(first.ids), len(second.ids)) == (14, 14)
    assert first.labels.tolist() == [1.0, 0.7, 0.0]
    assert [math.isnan(label) for label in second.labels] == [True, True, False]


def test_a_path_longer_than_the_budget_has_a_row_of_its_own() -> None:
    rows = tree_rows(forked(), ENCODER, 64, budget=8).rows
    assert [len(row.ids) for row in rows] == [14, 14]


def test_a_label_beyond_the_limit_is_lost_and_counted() -> None:
    found = tree_rows(forked(), ENCODER, 13, budget=64)
    assert [row.supervised for row in found.rows] == [2]
    assert (found.counts.cut, found.counts.dropped, found.counts.labels_lost) == (2, 1, 2)


def rows_of(lengths: list[int]) -> RowTable:
    """Rows of so many tokens, at least 3, each of a problem and a step of its own."""
    given = [StepTree(Problem(id=str(n), prompt="?")) for n in range(len(lengths))]
    for tree, length in zip(given, lengths, strict=True):
        tree.add(ROOT, " ".join(["1"] * (length - 3)), label=human(1.0))  # beside "?", and two line ends
    return encode_trees(given, ENCODER, RowShape(max_length=100)).rows


def test_the_longest_come_first_and_the_best_gap_is_filled() -> None:
    sequences = packed(rows_of([13, 19, 15, 16, 14, 12]), 30)
    # 19; 16 with 14; 15 with 13; the 12 finds 11 tokens free and none, and 2: it stands alone.
    assert [sorted(map(int, row.problems)) for row in sequences] == [[1], [3, 4], [0, 2], [5]]


@given(st.lists(st.integers(4, 16), min_size=1, max_size=40), st.integers(4, 40))
def test_sequences_are_those_of_the_plain_search(lengths: list[int], budget: int) -> None:
    found = packed(rows_of(lengths), budget)
    bounds = zip(found.starts[:-1], found.starts[1:], strict=True)
    assert [found.order[start:stop].tolist() for start, stop in bounds] == plain_rows.pack(lengths, budget)
    assert found.lengths.tolist() == [len(row.ids) for row in found]
    assert found.weights.tolist() == [row.weight for row in found]


@given(st.lists(st.integers(4, 16), min_size=1, max_size=30), st.integers(1, 40))
def test_packing_keeps_every_row_whole_and_within_the_budget(lengths: list[int], budget: int) -> None:
    sequences = list(packed(rows_of(lengths), budget))
    assert sorted(problem for row in sequences for problem in row.problems) == sorted(map(str, range(len(lengths))))
    assert all(len(row.ids) <= budget or len(row.problems) == 1 for row in sequences)
    for row in sequences:
        starts = [index for index, position in enumerate(row.positions) if position == 0]
        for start, stop in zip(starts, [*starts[1:], len(row.ids)], strict=True):
            assert set(row.until[start:stop].tolist()) == {stop}
            assert stop - 1 in row.ends
