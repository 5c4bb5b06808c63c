"""Which rows form which batch of which optimiser step, on every rank: decided before the epoch, from the seed alone.

Since the plan knows all batches of an optimiser step, each batch can carry the label weight of the whole step, and the
loss is exact for any world size and accumulation without a word between the ranks.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from prmkit.packing.batch import StepBatch, collate
from prmkit.packing.table import Rows

_POOL = 8
"""Batches whose rows are sorted by length together. More would save some padding, but give every batch one length, from
which small models learn far worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBatch:
    """Rows by index. A filler makes ranks even: it is computed like any batch, and no label of it counts."""

    rows: tuple[int, ...]
    total_weight: float
    filler: bool = False


class RowDataset(Dataset[StepBatch]):
    """Collated batches of a plan."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __getitem__(self, planned: PlannedBatch) -> StepBatch:
        """The batch of a plan's entry."""
        rows = [self.rows[index] for index in planned.rows]
        if not planned.filler:
            return collate(rows, planned.total_weight)
        batch = collate(rows, planned.total_weight, scale=0.0)
        batch.tokens = 0
        return batch


class BatchPlan(Sampler[PlannedBatch]):
    """The batches of one rank, epoch by epoch.

    Args:
        lengths: tokens of each row, of all ranks.
        weights: the summed weight of its labels.
        batch_size: rows of a batch.
        accumulate: batches of one rank in an optimiser step.
        world_size: ranks.
        rank: this one.
        seed: of the order; None keeps the rows sorted by length, in the same batches in every epoch.
        done: asked as an epoch begins how many of its batches an earlier process has trained on.
    """

    def __init__(
        self,
        lengths: NDArray[np.integer[Any]],
        weights: NDArray[np.floating[Any]],
        *,
        batch_size: int,
        accumulate: int,
        world_size: int,
        rank: int,
        seed: int | None,
        done: Callable[[], int] = lambda: 0,
    ) -> None:
        self._lengths, self._weights = lengths, weights
        self._batch_size, self._accumulate = batch_size, accumulate
        self._world_size, self._rank, self._seed = world_size, rank, seed
        self._epoch, self._done = 0, done

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch. Lightning calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Batches of this rank in an epoch, fillers included; the same on every rank."""
        batches = -(-len(self._lengths) // self._batch_size)
        return -(-batches // self._world_size)

    def __iter__(self) -> Iterator[PlannedBatch]:
        """The batches of this rank."""
        yield from itertools.islice(self._planned(), self._done(), None)

    def _planned(self) -> Iterator[PlannedBatch]:
        batches = self._batches()
        shortest = (int(self._lengths.argmin()),)
        step_size = self._world_size * self._accumulate
        for start in range(0, len(batches), step_size):
            step = batches[start : start + step_size]
            total = float(sum(self._weights[batch].sum() for batch in step))
            for position in range(0, len(step), self._world_size):
                mine = position + self._rank
                filler = mine >= len(step)
                rows = shortest if filler else tuple(step[mine].tolist())
                yield PlannedBatch(rows=rows, total_weight=total, filler=filler)

    def _batches(self) -> list[NDArray[np.int64]]:
        """All batches of the epoch, of all ranks: views of one array."""
        size = self._batch_size
        if self._seed is None:
            order = np.argsort(self._lengths, kind="stable")
            return [order[start : start + size] for start in range(0, len(order), size)]
        random = np.random.default_rng([self._seed, self._epoch])
        order = random.permutation(len(self._lengths))
        for start in range(0, len(order), _POOL * size):
            pool = order[start : start + _POOL * size]
            pool[:] = pool[np.argsort(self._lengths[pool], kind="stable")]
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        return [batches[index] for index in random.permutation(len(batches))]
