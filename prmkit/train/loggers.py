"""Where the course of a training goes step by step: Lightning's loggers."""

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from prmkit.errors import InputError

_PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb"}


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
                made.append(WandbLogger(save_dir=folder, project="prmkit", name=out.resolve().name, resume="allow"))
        except ModuleNotFoundError:
            raise InputError(
                f"the logger {name} is not installed", where="train.loggers", cure=f"pip install {_PACKAGES[name]}"
            ) from None
    return made
