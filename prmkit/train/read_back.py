"""A checkpoint counts when it is read back and scores as the model that was trained; the first one, minutes after the
start.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import ModelParallelStrategy

from prmkit.errors import RunError
from prmkit.models.checkpoint import load_prm
from prmkit.models.prm import PRM
from prmkit.run.activity import busy
from prmkit.train.made_up import row_scores
from prmkit.train.saved_state import KeepBest
from prmkit.train.shard import reload

_EXACT, _ROUNDED = 1e-3, 0.05
"""How far scores may be apart: in float32, and where weights or arithmetic have the 8 bits of bfloat16."""

_STIR = 0.05
"""Deviation of what is added to the upper matrices of adapters for trial: some tenths of the weights beneath."""


class ReadBack(pl.Callback):
    """Reads checkpoints back and compares their scores: one that is written for trial after the first optimiser step,
    and in the end the best one.

    A model that is sharded takes its own parts of the folder in place of those that it has. Any other is loaded a
    second time by the first process: for trial on the CPU, in the end on the device of the training, free by then.

    Args:
        prm: the model.
        best: what is kept in the end.
        trial: a folder, which is gone afterwards.
        write: writes the present weights to a folder that is not there, and gives its ``row_scores``. Called on every
            rank.
        rounded: whether the arithmetic of the training has fewer bits than float32.
    """

    def __init__(
        self, prm: PRM, best: KeepBest, trial: Path, write: Callable[[Path], list[float]], *, rounded: bool
    ) -> None:
        self._prm, self._best, self._trial, self._write = prm, best, trial, write
        self._rounded = rounded
        self._first: int | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note where the training begins."""
        self._first = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """After the first optimiser step, see whether the model can be saved."""
        if self._first is None or trainer.global_step == self._first:
            return
        self._first = None
        with busy("saving for trial"):
            self._clear(trainer)
            try:
                with _stirred(self._prm):
                    scores = self._write(self._trial)
                trainer.strategy.barrier()
                self._check(trainer, self._trial, scores, torch.device("cpu"))
            finally:
                self._clear(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Read the best checkpoint back into the parts of a sharded model, while it has them."""
        if isinstance(trainer.strategy, ModelParallelStrategy):
            self._check(trainer, self._best.folder, self._best.scores, trainer.strategy.root_device)

    def finish(self, trainer: pl.Trainer) -> None:
        """Read the best checkpoint of any other training back, when its end has freed the device.

        Raises:
            RunError: it scores otherwise than the model that was saved.
        """
        if not isinstance(trainer.strategy, ModelParallelStrategy):
            self._check(trainer, self._best.folder, self._best.scores, trainer.strategy.root_device)

    def _check(self, trainer: pl.Trainer, folder: Path, expected: list[float], device: torch.device) -> None:
        if isinstance(trainer.strategy, ModelParallelStrategy):
            if not trainer.strategy.reduce_boolean_decision(folder.is_dir(), all=True):
                return  # machines that share no disk
            reload(self._prm, folder)
            found = row_scores(self._prm)
        elif trainer.is_global_zero:
            with torch.random.fork_rng(devices=[]):  # of the head that is made before it is filled
                found = row_scores(load_prm(folder, device).prm)
        else:
            return
        rounded = self._rounded or any(each.dtype == torch.bfloat16 for each in self._prm.parameters())
        limit = _ROUNDED if rounded else _EXACT
        if not all(abs(one - other) <= limit for one, other in zip(found, expected, strict=True)):
            raise RunError(
                f"{folder}: the checkpoint does not score as the model that was saved: a made-up row has the scores "
                f"{_shown(found)}; expected {_shown(expected)}, at most {limit} apart. prmkit does not know how to "
                f"save a {type(self._prm.model).__name__}: please report it."
            )

    def _clear(self, trainer: pl.Trainer) -> None:
        trainer.strategy.barrier()
        if trainer.is_global_zero:
            shutil.rmtree(self._trial, ignore_errors=True)


@contextmanager
def _stirred(prm: PRM) -> Iterator[None]:
    """Adapters that do something: after one step they hardly do, and wrong ones would not be noticed."""
    ups = [value for name, value in prm.named_parameters() if ".lora_B." in name]
    kept = [value.detach().clone() for value in ups]
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in ups:
            value.add_(torch.randn(value.shape, generator=draw).to(value), alpha=_STIR)
        try:
            yield
        finally:
            for value, before in zip(ups, kept, strict=True):
                value.copy_(before)


def _shown(scores: list[float]) -> str:
    return ", ".join(f"{score:.4f}" for score in scores)
