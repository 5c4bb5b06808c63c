"""What a training keeps on its way: the best weights so far, and the state that a stopped training goes on from."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

_LOWER_IS_BETTER = ("loss", "brier", "ece")


class KeepBest(pl.Callback):
    """Writes the weights after each validation that is the best so far, and stops a training that no longer improves.

    Args:
        folder: where the best weights lie; replaced as a whole.
        monitor: a held-out metric.
        patience: validations without a better one before the training stops.
        write: writes the present weights to a folder that is not there, and gives the scores by which they are known
            again. Called on every rank.

    ``best`` and ``scores`` are those of the weights in the folder.
    """

    def __init__(self, folder: Path, *, monitor: str, patience: int, write: Callable[[Path], list[float]]) -> None:
        self.folder = folder
        self.monitor = monitor
        self.best: dict[str, float] = {}
        self.scores: list[float] = []
        self._patience, self._waited, self._write = patience, 0, write

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare with the best validation so far."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if self.best and not self._better(metrics[self.monitor], self.best[self.monitor]):
            self._waited += 1
            trainer.should_stop = trainer.should_stop or self._waited >= self._patience
            return
        self.best, self._waited = metrics, 0
        fresh = self.folder.with_name(f"{self.folder.name}.new")
        if trainer.is_global_zero:
            shutil.rmtree(fresh, ignore_errors=True)
        trainer.strategy.barrier()
        self.scores = self._write(fresh)
        if trainer.is_global_zero:
            shutil.rmtree(self.folder, ignore_errors=True)
            fresh.rename(self.folder)
        trainer.strategy.barrier()

    def state_dict(self) -> dict[str, Any]:
        """The best validation, how many have come since, and the scores."""
        return {"best": self.best, "waited": self._waited, "scores": self.scores}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them up again."""
        self.best, self._waited = dict(state_dict["best"]), state_dict["waited"]
        self.scores = list(state_dict["scores"])

    def _better(self, new: float, old: float) -> bool:
        if math.isnan(new) or math.isnan(old):
            return math.isnan(old) and not math.isnan(new)
        return new < old if self.monitor in _LOWER_IS_BETTER else new > old


class KeepAll(pl.Callback):
    """Writes the weights after every validation, to a folder with its number, from 0, as in the lines of history.csv.

    Args:
        folder: where these folders lie.
        write: writes the present weights to a folder that is not there. Called on every rank.
    """

    def __init__(self, folder: Path, write: Callable[[Path], object]) -> None:
        self.folder = folder
        self._write, self._kept = write, 0

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the next one; what a stopped training left there of it is replaced."""
        one = self.folder / str(self._kept)
        if trainer.is_global_zero:
            shutil.rmtree(one, ignore_errors=True)
            self.folder.mkdir(exist_ok=True)
        trainer.strategy.barrier()
        self._write(one)
        self._kept += 1

    def state_dict(self) -> dict[str, Any]:
        """How many are written."""
        return {"kept": self._kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up again."""
        self._kept = state_dict["kept"]


class KeepState(pl.Callback):
    """Saves the whole state of a training every so many optimiser steps: weights, optimiser, place in the data.

    It is saved before the first batch of a step, when nothing is half done. A kill in the midst of it leaves the one
    before.

    Args:
        folder: where the last state lies.
        every: optimiser steps.
    """

    def __init__(self, folder: Path, *, every: int) -> None:
        self.folder = folder
        self._every = every
        self._last = -1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note where the training goes on."""
        self._last = trainer.global_step

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save the state, when it is time."""
        step = trainer.global_step
        if step == self._last or step % self._every or batch_idx % trainer.accumulate_grad_batches:
            return
        self._last = step
        partial, whole = self.folder / f"step-{step}.partial", self.folder / f"step-{step}"
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            partial.rename(whole)
            for old in self.folder.iterdir():
                if old != whole:
                    _remove(old)
        trainer.strategy.barrier()


def last_state(folder: Path) -> Path | None:
    """The state to go on from; None where a training has to begin."""
    if not folder.is_dir():
        return None
    whole = [path for path in folder.iterdir() if path.name.removeprefix("step-").isdecimal()]
    return max(whole, key=lambda path: int(path.name.removeprefix("step-")), default=None)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
