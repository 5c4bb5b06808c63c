import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.batch import StepBatch, collate
from prmkit.packing.rows import TokenRow, tree_rows
from prmkit.packing.sequence import Packing, block_mask, dense_mask, pack
from prmkit.tree import ROOT, Label, Problem, StepTree
from tests.tiny import human, tiny_backbone, tiny_encoder

ENCODER = tiny_encoder()
WORDS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "x"]


@pytest.fixture(scope="module")
def prm(tmp_path_factory: pytest.TempPathFactory) -> PRM:
    name = tiny_backbone(tmp_path_factory.mktemp("backbone"))
    torch.manual_seed(0)
    return PRM.from_backbone(name, ModelConfig(name=name, max_length=64)).eval()


@st.composite
def trees(draw: st.DrawFn) -> StepTree:
    """Any shape of tree of up to nine steps, labelled hard, softly or not at all."""
    tree = StepTree(
        Problem(
            id=draw(st.sampled_from("pqr")),
            prompt=" ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))),
        )
    )
    for node in range(draw(st.integers(1, 9))):
        label = draw(st.none() | st.sampled_from([0.0, 0.25, 0.7, 1.0]))
        tree.add(
            draw(st.integers(ROOT, node - 1)),
            " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))),
            label=None if label is None else Label(value=label, source="human"),
        )
    return tree


def losses(prm: PRM, batch: StepBatch) -> torch.Tensor:
    logits_BS = prm(batch.ids_BT, batch.mask_BT, batch.ends_BS, batch.packing)
    all_BS = torch.nn.functional.binary_cross_entropy_with_logits(logits_BS, batch.labels_BS, reduction="none")
    return (all_BS * batch.weights_BS).sum()


def gradient(prm: PRM, rows: list[TokenRow]) -> tuple[float, torch.Tensor]:
    """The summed loss of some rows, and its gradient by all weights."""
    loss = losses(prm, collate(rows))
    gradients = torch.autograd.grad(loss, list(prm.parameters()))
    return float(loss.detach()), torch.cat([each.flatten() for each in gradients])


@pytest.mark.parametrize("weighting", ["once", "rows"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(forest=st.lists(trees(), min_size=1, max_size=4), length=st.integers(8, 30), budget=st.integers(8, 80))
def test_packing_changes_neither_loss_nor_gradient(
    prm: PRM, weighting: str, forest: list[StepTree], length: int, budget: int
) -> None:
    modes = {
        name: [
            row
            for tree in forest
            for row in tree_rows(tree, ENCODER, length, weighting=weighting, budget=share).rows  # type: ignore[arg-type]
        ]
        for name, share in (("none", None), ("tree", budget))
    }
    if not modes["none"]:
        assert not modes["tree"]
        return
    modes["sequence"] = pack(modes["none"], budget)
    modes["packed trees"] = pack(modes["tree"], budget)
    loss, slope = gradient(prm, modes["none"])
    for name, rows in modes.items():
        other_loss, other_slope = gradient(prm, rows)
        assert other_loss == pytest.approx(loss, rel=1e-5, abs=1e-6), name
        torch.testing.assert_close(other_slope, slope, rtol=1e-4, atol=1e-5, msg=name)
        assert sum(row.weight for row in rows) == sum(row.weight for row in modes["none"])
    assert sum(len(row.ids) for row in modes["tree"]) <= sum(len(row.ids) for row in modes["none"])


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
    assert row.ends == (8, 11, 13, 15)
    assert row.labels == (1.0, 0.7, 0.0, 1.0)
    assert (row.weights, row.plain) == ((1.0,) * 4, False)


def test_by_rows_a_shared_step_weighs_as_many_paths_as_go_through_it() -> None:
    (row,) = tree_rows(forked(), ENCODER, 64, weighting="rows", budget=64).rows
    assert row.weights == (2.0, 2.0, 1.0, 1.0)
    flat = tree_rows(forked(), ENCODER, 64, weighting="rows").rows
    assert [one.labels for one in flat] == [(1.0, 0.7, 0.0), (1.0, 0.7, 1.0)]


def test_a_tree_that_is_too_large_is_cut_between_paths_and_its_prefix_is_read_again() -> None:
    first, second = tree_rows(forked(), ENCODER, 64, budget=15).rows
    assert (len(first.ids), len(second.ids)) == (14, 14)
    assert first.labels == (1.0, 0.7, 0.0)
    assert [math.isnan(label) for label in second.labels] == [True, True, False]


def test_a_path_longer_than_the_budget_has_a_row_of_its_own() -> None:
    rows = tree_rows(forked(), ENCODER, 64, budget=8).rows
    assert [len(row.ids) for row in rows] == [14, 14]


def test_a_label_beyond_the_limit_is_lost_and_counted() -> None:
    found = tree_rows(forked(), ENCODER, 13, budget=64)
    assert [row.supervised for row in found.rows] == [2]
    assert (found.cut, found.dropped, found.labels_lost) == (2, 1, 2)


def row_of(length: int, problem: str = "p") -> TokenRow:
    return TokenRow(
        ids=np.full(length, length, dtype=np.int32),
        positions=np.arange(length, dtype=np.int32),
        until=np.full(length, length, dtype=np.int32),
        ends=(length - 1,),
        labels=(1.0,),
        weights=(1.0,),
        problems=(problem,),
    )


def test_the_longest_come_first_and_the_best_gap_is_filled() -> None:
    packed = pack([row_of(length) for length in (3, 9, 5, 6, 4, 2)], budget=10)
    # 9; 6 with 4; 5 with 3 and 2. A first fit would do the same here but for the 2, which 8 tokens take and 9 do not.
    assert [sorted({*row.ids.tolist()}) for row in packed] == [[9], [4, 6], [2, 3, 5]]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=30), st.integers(1, 20))
def test_packing_keeps_every_row_whole_and_within_the_budget(lengths: list[int], budget: int) -> None:
    packed = pack([row_of(length, str(index)) for index, length in enumerate(lengths)], budget)
    assert sorted(problem for row in packed for problem in row.problems) == sorted(map(str, range(len(lengths))))
    assert all(len(row.ids) <= budget or len(row.problems) == 1 for row in packed)
    for row in packed:
        starts = [index for index, position in enumerate(row.positions) if position == 0]
        for start, stop in zip(starts, [*starts[1:], len(row.ids)], strict=True):
            assert set(row.until[start:stop].tolist()) == {stop}
            assert stop - 1 in row.ends


def test_the_two_masks_are_one() -> None:
    batch = collate([*tree_rows(forked(), ENCODER, 64, budget=64).rows, row_of(7)])
    assert batch.packing is not None
    dense_BTT = dense_mask(batch.packing)[:, 0]
    sparse = block_mask(batch.packing)
    for b in range(2):
        for i in range(16):
            for j in range(16):
                at = [torch.tensor(value) for value in (b, 0, i, j)]
                assert bool(sparse.mask_mod(*at)) == bool(dense_BTT[b, i, j])
    # A sibling is not seen, padding sees itself alone.
    assert dense_BTT[0, 14].tolist() == [True] * 12 + [False, False, True, False]
    assert dense_BTT[1, 10].nonzero().flatten().tolist() == [10]


def test_flex_attention_gives_the_same_scores(prm: PRM) -> None:
    batch = collate(list(tree_rows(forked(), ENCODER, 64, budget=64).rows))
    assert isinstance(batch.packing, Packing)
    with torch.inference_mode():
        dense = prm(batch.ids_BT, batch.mask_BT, batch.ends_BS, batch.packing)
        prm.model.set_attn_implementation("flex_attention")
        try:
            hidden = prm.model(
                input_ids=batch.ids_BT,
                attention_mask=block_mask(batch.packing),
                position_ids=batch.packing.positions_BT,
                use_cache=False,
            ).last_hidden_state
        finally:
            prm.model.set_attn_implementation("sdpa")
        flex = prm.score(hidden[0, list(batch.ends_BS[0])])[:, 0]
    torch.testing.assert_close(flex[None], dense, rtol=1e-5, atol=1e-5)
