"""Where the course of a training goes step by step: Lightning's loggers."""

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from prmkit.errors import InputError


class _FinishedWandbLogger(WandbLogger):
    """Ends its W&B run with the training; Lightning leaves it open, so a second training would go on writing to it."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Called by Lightning after the last step."""
        super().finalize(status)
        if self._experiment is not None:
            self._experiment.finish(exit_code=int(status != "success"))


def loggers_of(names: Sequence[str], out: Path, *, resumed: Path | None) -> list[Logger]:
    """Lightning's loggers by name, writing to ``out/logs``.

    A training that goes on from a state writes beside what is there, in a version named after the state.

    Raises:
        InputError: the package of a logger is not installed.
    """
    folder, version = out / "logs", resumed.name if resumed else "step-0"
    made: list[Logger] = []
    for name in names:
        try:
            if name == "csv":
                made.append(CSVLogger(folder, name="csv", version=version, flush_logs_every_n_steps=1))
            elif name == "tensorboard":
                made.append(TensorBoardLogger(folder, name="tensorboard", version=version))
            else:
                run = out.resolve().name
                made.append(_FinishedWandbLogger(save_dir=folder, project="prmkit", name=run, resume="allow"))
        except ModuleNotFoundError:
            raise InputError(
                f"the logger {name} is not installed", where="train.loggers", cure="pip install 'prmkit[loggers]'"
            ) from None
    return made
