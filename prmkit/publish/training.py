"""The training behind a checkpoint, as its run folder tells it."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from prmkit.errors import InputError
from prmkit.rows_io import HUB
from prmkit.run.folder import RunFolder
from prmkit.run.results import read_result
from prmkit.train.result import TrainingResult

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A finished training: its record (run.yaml), its result, and what made its labels.

    ``annotation`` is the recipe of the ``prmkit annotate`` that wrote the trees, where that run can still be found.
    """

    name: str
    record: dict[str, Any]
    result: TrainingResult
    annotation: dict[str, Any] | None

    @property
    def recipe(self) -> dict[str, Any]:
        """Every value of the training."""
        recipe: dict[str, Any] = self.record["recipe"]
        return recipe

    @property
    def base_model(self) -> str | None:
        """The hub id of the backbone; None where it was a local folder."""
        return hub_id(str(self.recipe["model"]["name"]))

    @property
    def datasets(self) -> list[str]:
        """The hub ids of the corpora behind the trees, those of the annotation included."""
        paths = [str(self.recipe["data"]["path"])]
        if self.annotation is not None:
            paths += [str(corpus["path"]) for corpus in self.annotation["data"]]
        found = [path.removeprefix(HUB).split(":")[0].split("@")[0] for path in paths if path.startswith(HUB)]
        return list(dict.fromkeys(found))


def checkpoint_of(path: Path) -> Path:
    """The checkpoint that a user means: RUN/checkpoint of a run folder, or the folder itself.

    Raises:
        InputError: the run has none.
    """
    run = RunFolder(path)
    if not run.record.is_file():
        return path
    if not run.checkpoint.is_dir():
        raise InputError("the run has no checkpoint", where=path, cure="Name a finished training, or go on with it.")
    return run.checkpoint


def training_of(checkpoint: Path) -> Training | None:
    """The training whose run folder the checkpoint stands in; None where it stands alone."""
    run = RunFolder(checkpoint.resolve().parent)
    if not run.record.is_file() or run.checkpoint.resolve() != checkpoint.resolve():
        return None
    record = run.read_record()
    if record["recipe"].get("stage") != "train":
        return None
    return Training(
        name=run.path.name,
        record=record,
        result=read_result(run.metrics_file, TrainingResult),
        annotation=_annotation(str(record["recipe"]["data"]["path"])),
    )


def hub_id(name: str) -> str | None:
    """The id of a model, without its revision, if it can be one of the hub and is no folder here."""
    id = name.partition("@")[0]
    return id if _HUB_ID.fullmatch(id) and not Path(name).exists() else None


def public(value: Any) -> Any:
    """A value of a recipe without the folders of this machine: of an absolute path, only its last name is left."""
    if isinstance(value, str) and value.startswith(("/", "~")):
        return PurePath(value).name
    if isinstance(value, dict):
        return {key: public(inner) for key, inner in value.items()}
    return [public(inner) for inner in value] if isinstance(value, list) else value


def _annotation(path: str) -> dict[str, Any] | None:
    run = RunFolder(Path(path).parent)
    if path.startswith(HUB) or not run.record.is_file():
        return None
    recipe: dict[str, Any] = run.read_record()["recipe"]
    return recipe if recipe.get("stage") == "annotate" else None
