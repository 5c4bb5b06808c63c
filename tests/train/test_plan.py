from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prmkit.train.plan import BatchPlan, PlannedBatch, RowDataset
from tests.tiny import path_tree, tiny_encoder, tree_rows


def plan_of(lengths: list[int], **options: Any) -> BatchPlan:
    """A plan of rows of these lengths; row i has i % 3 + 1 labels."""
    weights = np.array([float(index % 3 + 1) for index in range(len(lengths))])
    return BatchPlan(np.array(lengths), weights, **options)


def plans(count: int, *, world: int, seed: int | None = 0, size: int = 2, accumulate: int = 1) -> list[BatchPlan]:
    lengths = [5 + (7 * n) % 11 for n in range(count)]
    return [
        plan_of(lengths, batch_size=size, accumulate=accumulate, world_size=world, rank=rank, seed=seed)
        for rank in range(world)
    ]


@given(st.integers(1, 40), st.integers(1, 4), st.integers(1, 3), st.integers(1, 5))
def test_every_row_is_read_once_and_ranks_keep_step(count: int, world: int, accumulate: int, size: int) -> None:
    ranks = [list(plan) for plan in plans(count, world=world, size=size, accumulate=accumulate)]
    assert sorted(row for rank in ranks for batch in rank if not batch.filler for row in batch.rows) == [*range(count)]
    assert {len(rank) for rank in ranks} == {len(plans(count, world=world, size=size)[0])}
    # The batches of an optimiser step, over all ranks, carry the number of labels that they hold together.
    for start in range(0, len(ranks[0]), accumulate):
        step = [batch for rank in ranks for batch in rank[start : start + accumulate]]
        labels = sum(row % 3 + 1 for batch in step if not batch.filler for row in batch.rows)
        assert {batch.total_weight for batch in step} == {labels}


def test_the_order_is_that_of_seed_and_epoch() -> None:
    first, again = plans(30, world=1)[0], plans(30, world=1)[0]
    assert list(first) == list(again) == list(first)
    again.set_epoch(1)
    assert list(first) != list(again)
    assert list(first) != list(plans(30, world=1, seed=1)[0])


def test_batches_hold_rows_of_similar_length() -> None:
    lengths = [int(n) for n in np.random.default_rng(0).integers(1, 1000, 64)]
    plan = plan_of(lengths, batch_size=8, accumulate=1, world_size=1, rank=0, seed=0)
    padded = sum(len(batch.rows) * max(lengths[row] for row in batch.rows) for batch in plan)
    # 64 rows are one pool of 8 batches, so the batches are slices of the sorted rows.
    ordered = sorted(lengths)
    assert padded == sum(8 * max(ordered[start : start + 8]) for start in range(0, 64, 8))


def test_a_filler_has_no_say() -> None:
    rows = tree_rows(path_tree("1 ?", [("1", 1.0)]), tiny_encoder(), 64).rows
    batch = RowDataset(rows)[PlannedBatch(rows=(0,), total_weight=3.0, filler=True)]
    assert (float(batch.weights_BS.sum()), batch.total_weight, batch.tokens) == (0.0, 3.0, 0)


def test_a_plan_stays_what_it_was() -> None:
    plan = plan_of([5 + (7 * n) % 11 for n in range(11)], batch_size=2, accumulate=1, world_size=1, rank=0, seed=3)
    assert [batch.rows for batch in plan] == [(3,), (0, 8), (5, 2), (9, 6), (10, 7), (4, 1)]
