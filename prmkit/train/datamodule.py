"""Rows as training and held-out batches."""

from collections.abc import Callable

import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray

from prmkit.errors import InputError
from prmkit.packing.encode import StepEncoder
from prmkit.packing.rows import EncodedTrees, RowCounts
from prmkit.packing.sequence import Sequences, alone, pack
from prmkit.packing.table import RowTable
from prmkit.run.activity import busy
from prmkit.train.config import TrainConfig
from prmkit.train.labels import balanced, known, taught
from prmkit.train.loading import BatchLoader
from prmkit.train.plan import BatchPlan
from prmkit.train.split import split
from prmkit.train.strategies import data_parallel


class StepDataModule(pl.LightningDataModule):
    """Rows of labelled trees, split by problem, in seeded batches of similar length.

    Every rank has the same rows, mapped, and the same plan, and takes its own part of each optimiser step. A training
    that goes on after a stop begins with the batch after the last one it has finished. ``label_source`` names who made
    the labels: a checkpoint keeps it, since it decides the default aggregation.

    Args:
        encoded: the rows of the trees (see ``shape_of``).
        encoder: the tokenisation that made them.
        max_length: of a row in tokens.
        config: batch size, accumulation and held-out share.
        seed: of the split and the order.

    Raises:
        InputError: no tree has a label, all labels are the same, or a side of the split would have none.
    """

    def __init__(
        self, encoded: EncodedTrees, encoder: StepEncoder, *, max_length: int, config: TrainConfig, seed: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = config
        self.seed = seed
        self.counts = encoded.counts
        self.label_source = "+".join(sorted(filter(None, encoded.rows.label_sources)))
        self._length = config.pack_tokens or max_length
        self._learned: BatchLoader | None = None
        self._waited_before = 0.0
        rows = taught(encoded.rows, hard_above=config.hard_above, source_weights=config.source_weights)
        everything = np.arange(len(rows))
        _check(known(rows, everything)[0], self.counts, max_length)
        with busy("splitting and packing the rows"):
            learned, watched = split(rows.problems, encoded.prompts, config.validation_share, seed)
            self._check_held_out(rows, watched)
            self.train_rows = self._packed(balanced(rows, learned) if config.class_balance else rows, learned)
            self.validation_rows = self._packed(rows, watched)

    def _packed(self, rows: RowTable, chosen: NDArray[np.int64]) -> Sequences:
        return alone(rows, chosen) if self.config.packing == "none" else pack(rows, chosen, self._length)

    def _check_held_out(self, rows: RowTable, watched: NDArray[np.int64]) -> None:
        kinds = np.unique(known(rows, watched)[0] >= 0.5)
        if self.config.monitor in ("auroc", "f1") and len(kinds) == 1:
            raise InputError(
                f"the held-out labels are of one kind, so {self.config.monitor} says nothing",
                where="train.monitor",
                expected="right and wrong steps among the held-out problems",
                cure="Raise train.validation_share, or monitor the loss.",
            )

    @property
    def waited(self) -> float:
        """Seconds that the training has waited for its batches."""
        return self._waited_before + (self._learned.waited if self._learned is not None else 0.0)

    def state_dict(self) -> dict[str, float]:
        """What is to be known where the training goes on."""
        return {"waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Take it up again."""
        self._waited_before = state_dict["waited"]

    def train_dataloader(self) -> BatchLoader:
        """This rank's batches, in a new order each epoch."""
        self._learned = self._loader(
            self.train_rows, accumulate=self.config.accumulate, seed=self.seed, done=self._done
        )
        return self._learned

    def val_dataloader(self) -> BatchLoader:
        """This rank's batches of the held-out problems."""
        return self._loader(self.validation_rows, accumulate=1, seed=None)

    def _done(self) -> int:
        # Lightning knows how far an epoch that was cut off had come, but not how to begin there.
        return self.trainer.fit_loop.epoch_loop.batch_progress.current.completed if self.trainer else 0

    def _loader(
        self, rows: Sequences, *, accumulate: int, seed: int | None, done: Callable[[], int] = lambda: 0
    ) -> BatchLoader:
        parts, part = data_parallel(self.trainer)
        plan = BatchPlan(
            rows.lengths,
            rows.weights,
            batch_size=self.config.batch_size,
            accumulate=accumulate,
            world_size=parts,
            rank=part,
            seed=seed,
            done=done,
        )
        return BatchLoader(rows, plan, self.config.workers)


def _check(labels: NDArray[np.floating], counts: RowCounts, max_length: int) -> None:
    values = np.unique(labels)
    if not len(values) and (counts.labels_lost or counts.too_long):
        raise InputError(
            "every label stands beyond the length limit",
            got=f"max_length = {max_length}",
            expected="room for a problem and its first labelled step",
            cure="Raise model.max_length.",
        )
    if not len(values):
        raise InputError("no step has a label", cure="Annotate the trees first, or choose a labelled source.")
    if len(values) == 1:
        raise InputError(
            "all labels are the same, so there is nothing to tell apart",
            got=f"{counts.labels} labels of value {values[0]}",
            expected="right and wrong steps",
        )
