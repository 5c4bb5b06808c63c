"""From a study to its cells: one command each, named by what it does, so that studies share them."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from prmkit.errors import InputError, InputErrors
from prmkit.recipe.bind import bind
from prmkit.recipe.catalog import locate
from prmkit.recipe.compose import Composed, compose, leaves, merge
from prmkit.recipe.stages import STAGES
from prmkit.study.axes import Plan, Point
from prmkit.study.recipe import AxisValue
from prmkit.study.templates import Name, filled
from prmkit.yaml_io import parse_value

_WORD = re.compile(r"[a-z][a-z-]*")

CELLS = "cells"
"""The folder below OUT that all studies share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run of one verb.

    ``words`` are the command line after ``prmkit``. ``folder`` is the run's; beside it lie ``NAME.json`` (its record,
    written when it is done), ``NAME.log`` and ``NAME.lock``. ``after`` names the cells that must be done before.
    """

    name: str
    words: tuple[str, ...]
    folder: Path
    after: tuple[str, ...]
    recipe: BaseModel | None = field(compare=False)
    gpus: int = 0
    nodes: int = 1

    @property
    def kind(self) -> str:
        """What cells of the same verb and recipe have in common."""
        return self.name.rpartition("-")[0]

    @property
    def record(self) -> Path:
        """What the command printed, and how long it took; there when the cell is done."""
        return self.folder.with_name(f"{self.name}.json")

    @property
    def log(self) -> Path:
        """What the command said."""
        return self.folder.with_name(f"{self.name}.log")

    @property
    def lock(self) -> Path:
        """Locked by whoever works at the cell."""
        return self.folder.with_name(f"{self.name}.lock")

    @property
    def done(self) -> bool:
        """Whether the cell was run to its end, by this study or another."""
        return self.record.is_file()


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of a study by name, in an order in which they can be run, and where each stands in the study."""

    plan: Plan
    cells: Mapping[str, Cell]
    places: Mapping[tuple[str, tuple[AxisValue, ...]], str]

    def cell(self, run: str, point: Point) -> Cell:
        """The cell of a run at a point, which may have further axes."""
        return self.cells[self.places[run, tuple(point[axis] for axis in self.plan.over[run])]]


def grid_of(plan: Plan, out: Path) -> Grid:
    """The cells of a planned study; every recipe is bound.

    Raises:
        InputErrors: all that is wrong with the recipes, values of the study with their place in its file.
    """
    cells: dict[str, Cell] = {}
    places: dict[tuple[str, tuple[AxisValue, ...]], str] = {}
    errors: dict[str, InputError] = {}
    for run in plan.order:
        for point in plan.points(plan.over[run]):
            upstream = [(other, tuple(point[axis] for axis in plan.over[other])) for other in plan.upstream[run]]
            if any(each not in places for each in upstream):
                continue  # its error is told already
            after = {other: places[other, values] for other, values in upstream}
            try:
                cell = _cell(plan, run, point, after, out / CELLS)
            except InputErrors as error:
                errors |= {str(each): each for each in error.errors}
            except InputError as error:
                errors[str(error)] = error
            else:
                cells.setdefault(cell.name, cell)
                places[run, tuple(point.values())] = cell.name
    if errors:
        raise InputErrors(list(errors.values()))
    return Grid(plan, cells, places)


def _cell(plan: Plan, run: str, point: Point, after: Mapping[str, str], root: Path) -> Cell:
    config = plan.study.runs[run]

    def meaning(name: Name) -> Any:
        return str(root / after[name.name]) if name.name in after else plan.meaning(name, point)

    if config.recipe is not None:
        path = filled(config.recipe, meaning)
        recipe, changed = _bound(plan.composed, run, path, filled(config.set, meaning))
        verb = STAGES[recipe.stage].verb  # type: ignore[attr-defined]  # every recipe has the key
        kind = f"{locate(path).resolve().parent.name}-{locate(path).stem}"
        name = _named(kind, [verb, recipe.model_dump(mode="json")], root)
        words = [*verb.split(), path, *changed, "--out", str(root / name), "--resume"]
    else:
        recipe, words = None, [str(word) for word in filled(config.command, meaning)]
        kind = "-".join(takewhile(_WORD.fullmatch, words))  # evaluate, data-stats, ...
        name = _named(kind, words, root)
    return Cell(
        name=name,
        words=tuple(words),
        folder=root / name,
        after=tuple(dict.fromkeys(after.values())),
        recipe=recipe,
        gpus=int(filled(config.gpus, meaning)),
        nodes=int(filled(config.nodes, meaning)),
    )


def _bound(study: Composed, run: str, recipe: str, values: Mapping[str, Any]) -> tuple[BaseModel, list[str]]:
    """The recipe with the values that the study sets, and the options that set them on a command line."""
    try:
        composed = compose(locate(recipe))
    except InputErrors:
        raise
    except InputError as error:
        raise InputError(str(error), where=study.origin(("runs", run, "recipe"))) from None
    options = []
    for key, value in values.items():
        keys, where = tuple(key.split(".")), study.origin(("runs", run, "set", key))
        inner = {(*keys, *path): where for path, _ in leaves(value)} if isinstance(value, dict) else {}
        own: Any = value
        for length in range(len(keys), 0, -1):
            own, inner[keys[:length]] = {keys[length - 1]: own}, where
        composed = merge(composed, Composed(path=composed.path, values=own, origins=inner))
        options += ["--set", f"{key}={_yaml(value)}"]
    return bind(composed), options


def _yaml(value: Any) -> str:
    """The value as the right side of ``--set``: plain where that reads back, else JSON, which is YAML on one line."""
    if isinstance(value, str):
        try:
            if parse_value(value, where="") == value:
                return value
        except InputError:
            pass
    return json.dumps(value)


def _named(kind: str, identity: Any, root: Path) -> str:
    """A name that says what is done and from what; it does not depend on where the cells lie."""
    text = json.dumps(identity, sort_keys=True).replace(f"{root}/", "")
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', kind)}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
