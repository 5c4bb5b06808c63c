"""Batches as they are asked for: put together beside the device, and counted in seconds that it waited for them."""

import time
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader

from prmkit.packing.batch import StepBatch
from prmkit.packing.table import Rows
from prmkit.train.plan import BatchPlan, RowDataset

_WORKERS = 2
"""Processes beside each GPU: one alone puts together some hundred batches a second."""

_AHEAD = 4
"""Batches that each of them keeps ready."""


class BatchLoader(DataLoader[StepBatch]):
    """The batches of a plan. ``waited`` is how many seconds whoever asked for them has waited.

    Args:
        rows: of the training.
        plan: of this process.
        workers: processes that put batches together; None: two where there is a GPU, else none.
    """

    def __init__(self, rows: Rows, plan: BatchPlan, workers: int | None) -> None:
        on_gpu = torch.cuda.is_available()
        count = (_WORKERS if on_gpu else 0) if workers is None else workers
        super().__init__(
            RowDataset(rows),
            sampler=plan,
            batch_size=None,
            num_workers=count,
            prefetch_factor=_AHEAD if count else None,
            pin_memory=on_gpu,
        )
        self.waited = 0.0

    def __iter__(self) -> Iterator[StepBatch]:  # type: ignore[override]  # torch promises an iterator of its own
        batches = super().__iter__()
        while True:
            start = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            finally:
                self.waited += time.perf_counter() - start
            yield batch
