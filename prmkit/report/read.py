"""Runs as a report reads them: from their folders alone, nothing is computed again."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from prmkit.errors import InputError
from prmkit.run import RunFolder
from prmkit.tree import StepTree
from prmkit.trees_io import read_trees
from prmkit.yaml_io import read_yaml

STAGES = ("search", "annotate", "train", "similarity", "evaluate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run: its record (run.yaml), its figures (metrics.json), and for a search its evaluation and its trees."""

    name: str
    stage: str
    record: dict[str, Any]
    metrics: dict[str, Any]
    evaluation: dict[str, Any] | None
    history: tuple[dict[str, float], ...]
    trees: tuple[StepTree, ...]


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs of these folders.

    Raises:
        InputError: a folder holds no finished run, or one of a stage that no report knows.
    """
    if not folders:
        raise InputError("no run to report", expected="at least one run folder")
    return [_read(RunFolder(folder)) for folder in folders]


def _read(folder: RunFolder) -> Run:
    if not folder.record.is_file() or not folder.metrics_file.is_file():
        raise InputError("not the folder of a finished run", where=folder.path, expected="run.yaml and metrics.json")
    record = read_yaml(folder.record).values
    recipe = record.get("recipe")
    stage = recipe.get("stage") if isinstance(recipe, dict) else None
    if stage not in STAGES:
        raise InputError("no report knows this stage", where=folder.record, got=stage, expected=", ".join(STAGES))
    history = folder.path / "history.csv"
    return Run(
        name=folder.path.resolve().name,
        stage=stage,
        record=record,
        metrics=_json(folder.metrics_file),
        evaluation=_json(folder.evaluation) if folder.evaluation.is_file() else None,
        history=_history(history) if history.is_file() else (),
        trees=tuple(read_trees(folder.trees)) if stage == "search" and folder.trees.is_file() else (),
    )


def _json(file: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(f"not JSON ({error})", where=file) from None
    if not isinstance(content, dict):
        raise InputError("not a JSON object", where=file, got=content)
    return content


def _history(file: Path) -> tuple[dict[str, float], ...]:
    with file.open(newline="", encoding="utf-8") as stream:
        try:
            return tuple({key: float(value) for key, value in row.items()} for row in csv.DictReader(stream))
        except (TypeError, ValueError) as error:
            raise InputError(f"not a history of a training ({error})", where=file) from None
