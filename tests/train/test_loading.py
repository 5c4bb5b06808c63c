import numpy as np
import pytest
import torch

from prmkit.packing.rows import RowShape, encode_trees
from prmkit.packing.sequence import Sequences, alone
from prmkit.train.loading import BatchLoader
from prmkit.train.plan import BatchPlan
from tests.tiny import path_tree, tiny_encoder


def rows() -> Sequences:
    given = [path_tree(f"{n} ?", [("1 " * (1 + n % 3), float(n % 2))]) for n in range(12)]
    return alone(encode_trees(given, tiny_encoder(), RowShape(max_length=64)).rows, np.arange(12))


def loader(workers: int | None) -> BatchLoader:
    found = rows()
    plan = BatchPlan(found.lengths, found.weights, batch_size=2, accumulate=2, world_size=2, rank=1, seed=0)
    return BatchLoader(found, plan, workers)


def test_workers_give_the_same_batches_in_the_same_order() -> None:
    alone, helped = list(loader(0)), list(loader(2))
    assert len(alone) == len(helped) == 3
    for one, other in zip(alone, helped, strict=True):
        assert torch.equal(one.ids_BT, other.ids_BT)
        assert torch.equal(one.weights_BS, other.weights_BS)
        assert (one.total_weight, one.problems, one.tokens) == (other.total_weight, other.problems, other.tokens)


def test_on_a_cpu_nobody_else_puts_batches_together() -> None:
    made = loader(None)
    assert (made.num_workers, made.pin_memory) == ((0, False) if not torch.cuda.is_available() else (2, True))


def test_the_time_spent_on_batches_is_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr("prmkit.train.loading.time.perf_counter", lambda: float(next(ticks)))
    made = loader(0)
    list(made)
    assert made.waited == 4.0  # a tick for each of three batches, and one to see that there is no other
    list(made)
    assert made.waited == 8.0
