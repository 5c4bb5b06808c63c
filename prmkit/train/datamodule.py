"""Trees as training and held-out batches."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import lightning.pytorch as pl
from torch.utils.data import DataLoader

from prmkit.errors import InputError
from prmkit.packing.batch import StepBatch
from prmkit.packing.encode import StepEncoder
from prmkit.packing.rows import TokenRow, tree_rows
from prmkit.packing.sequence import pack
from prmkit.run.seeds import derived_seed
from prmkit.sources.sample import wording
from prmkit.train.config import TrainConfig
from prmkit.train.labels import balanced, hardened, weights_by_source
from prmkit.train.plan import BatchPlan, RowDataset
from prmkit.train.strategies import data_parallel
from prmkit.tree import StepTree


@dataclass(slots=True, kw_only=True)
class RowCounts:
    """What became of the trees: rows and their labels, and what the length limit took (see TreeRows)."""

    rows: int = 0
    labels: int = 0
    cut: int = 0
    dropped: int = 0
    labels_lost: int = 0


class StepDataModule(pl.LightningDataModule):
    """Rows of labelled trees, split by problem, in seeded batches of similar length.

    Every rank builds the same rows and the same plan, and takes its own part of each optimiser step. A training that
    goes on after a stop begins with the batch after the last one it has finished.

    Args:
        trees: labelled trees; read once.
        encoder: the tokenisation.
        max_length: of a row in tokens.
        config: batch size, accumulation and held-out share.
        seed: of the split and the order.

    Raises:
        InputError: no tree has a label, all labels are the same, a side of the split would have none, or a problem
            leaves no room for a step.
    """

    def __init__(
        self, trees: Iterable[StepTree], encoder: StepEncoder, *, max_length: int, config: TrainConfig, seed: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = config
        self.seed = seed
        self.counts = RowCounts()
        rows = self._encode(trees, encoder, max_length)
        held_out = held_out_problems(rows, config.validation_share, seed)
        learned = [row for key in rows if key not in held_out for row in rows[key]]
        watched = [row for key in rows if key in held_out for row in rows[key]]
        self._check_held_out(watched)
        self.train_rows = self._packed(balanced(learned) if config.class_balance else learned, max_length)
        self.validation_rows = self._packed(watched, max_length)

    def _encode(self, trees: Iterable[StepTree], encoder: StepEncoder, max_length: int) -> dict[str, list[TokenRow]]:
        rows: dict[str, list[TokenRow]] = defaultdict(list)
        values: set[float] = set()
        budget = (self.config.pack_tokens or max_length) if self.config.packing == "tree" else None
        weigh = weights_by_source(self.config.source_weights)
        for given in trees:
            tree = hardened(given, self.config.hard_above)
            encoded = tree_rows(tree, encoder, max_length, weighting=self.config.weighting, budget=budget, weigh=weigh)
            self.counts.cut += encoded.cut
            self.counts.dropped += encoded.dropped
            self.counts.labels_lost += encoded.labels_lost
            if encoded.rows:
                rows[wording(tree.problem.prompt)] += encoded.rows
            self.counts.rows += len(encoded.rows)
            self.counts.labels += sum(row.supervised for row in encoded.rows)
            values.update(label for row in encoded.rows for label in row.labels if not math.isnan(label))
        self._check(values, max_length)
        return rows

    def _packed(self, rows: list[TokenRow], max_length: int) -> list[TokenRow]:
        return rows if self.config.packing == "none" else pack(rows, self.config.pack_tokens or max_length)

    def _check(self, values: set[float], max_length: int) -> None:
        if not values and self.counts.labels_lost:
            raise InputError(
                "every label stands beyond the length limit",
                got=f"max_length = {max_length}",
                expected="room for a problem and its first labelled step",
                cure="Raise model.max_length.",
            )
        if not values:
            raise InputError("no step has a label", cure="Annotate the trees first, or choose a labelled source.")
        if len(values) == 1:
            raise InputError(
                "all labels are the same, so there is nothing to tell apart",
                got=f"{self.counts.labels} labels of value {values.pop()}",
                expected="right and wrong steps",
            )

    def _check_held_out(self, watched: list[TokenRow]) -> None:
        kinds = {label >= 0.5 for row in watched for label in row.labels if not math.isnan(label)}
        if self.config.monitor in ("auroc", "f1") and len(kinds) == 1:
            raise InputError(
                f"the held-out labels are of one kind, so {self.config.monitor} says nothing",
                where="train.monitor",
                expected="right and wrong steps among the held-out problems",
                cure="Raise train.validation_share, or monitor the loss.",
            )

    def train_dataloader(self) -> DataLoader[StepBatch]:
        """This rank's batches, in a new order each epoch."""
        return self._loader(self.train_rows, accumulate=self.config.accumulate, seed=self.seed, done=self._done)

    def val_dataloader(self) -> DataLoader[StepBatch]:
        """This rank's batches of the held-out problems."""
        return self._loader(self.validation_rows, accumulate=1, seed=None)

    def _done(self) -> int:
        # Lightning knows how far an epoch that was cut off had come, but not how to begin there.
        return self.trainer.fit_loop.epoch_loop.batch_progress.current.completed if self.trainer else 0

    def _loader(
        self, rows: list[TokenRow], *, accumulate: int, seed: int | None, done: Callable[[], int] = lambda: 0
    ) -> DataLoader[StepBatch]:
        parts, part = data_parallel(self.trainer)
        plan = BatchPlan(
            rows,
            batch_size=self.config.batch_size,
            accumulate=accumulate,
            world_size=parts,
            rank=part,
            seed=seed,
            done=done,
        )
        return DataLoader(RowDataset(rows), sampler=plan, batch_size=None)


def held_out_problems(problems: Iterable[str], share: float, seed: int) -> set[str]:
    """The keys of the problems to hold out: at least one, at most all but one, independent of the order of the trees.

    Raises:
        InputError: there are fewer than two problems.
    """
    keys = sorted(set(problems), key=lambda key: derived_seed(seed, key))
    if len(keys) < 2:
        raise InputError(
            "no problem can be held out of the training",
            got=f"{len(keys)} problem with labels",
            expected="two or more",
            cure="Give trees of more problems.",
        )
    return set(keys[: min(max(1, round(share * len(keys))), len(keys) - 1)])
