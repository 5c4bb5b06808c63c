"""Runs as a report reads them: from their folders alone, nothing is computed again."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from prmkit.attribution.record import RECORDS
from prmkit.errors import InputError
from prmkit.run.folder import RunFolder
from prmkit.tree import StepTree
from prmkit.trees_io import read_lines, read_trees
from prmkit.yaml_io import read_yaml

STAGES = ("search", "annotate", "train", "similarity", "evaluate", "study")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, as far as its folder tells.

    Attributes:
        path: its folder, as it was given.
        name: unlike that of any other run of the report.
        stage: what it did.
        record: run.yaml.
        metrics: metrics.json.
        evaluation: evaluation.json of a search, None where it was not evaluated.
        anytime: the curves of anytime.json, by strategy.
        selection: the rows of selection.json.
        history: a training's history.csv.
        costs: costs.jsonl of a search.
        trees: of a search, an annotation or an evaluation of a PRM.
        attributions: what ``prmkit attribute`` found.
        members: of several strategies side by side, the run of each.
        missing: what this report would show if it were there, each with the command that makes it.
    """

    path: Path
    name: str
    stage: str
    record: dict[str, Any]
    metrics: dict[str, Any]
    evaluation: dict[str, Any] | None = None
    anytime: dict[str, Any] | None = None
    selection: tuple[dict[str, Any], ...] = ()
    history: tuple[dict[str, float], ...] = ()
    costs: tuple[dict[str, Any], ...] = ()
    trees: tuple[StepTree, ...] = ()
    attributions: tuple[dict[str, Any], ...] = ()
    members: tuple["Run", ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def recipe(self) -> dict[str, Any]:
        """What was asked for."""
        recipe: dict[str, Any] = self.record["recipe"]
        return recipe

    @property
    def title(self) -> str:
        """The name, and what was searched where that says more."""
        benchmark = self.metrics.get("benchmark")
        return f"{self.name} ({benchmark})" if benchmark and str(benchmark) not in self.name else self.name


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs of these folders, in their order; strategies side by side are members of the run they belong to.

    In the place of a folder that is no run of a known stage, such as that of a demo, stand the finished runs in it, the
    oldest first.

    Raises:
        InputError: a folder holds no finished run, or one of a stage that no report knows.
    """
    if not folders:
        raise InputError("no run to report", expected="at least one run folder")
    return _named([_read(run) for folder in folders for run in _runs_in(RunFolder(folder))])


def single(runs: Iterable[Run]) -> list[Run]:
    """The runs, with the members of a comparison in the place of the whole."""
    return [one for run in runs for one in (run.members or (run,))]


def _runs_in(folder: RunFolder) -> list[RunFolder]:
    if folder.record.is_file() and _stage(folder) in STAGES:
        return [folder]
    children = [RunFolder(child) for child in sorted(folder.path.iterdir())] if folder.path.is_dir() else []
    runs = [child for child in children if child.record.is_file() and child.metrics_file.is_file()]
    runs.sort(key=lambda run: str(read_yaml(run.record).values.get("created")))
    return runs or [folder]


def _stage(folder: RunFolder) -> Any:
    recipe = read_yaml(folder.record).values.get("recipe")
    return recipe.get("stage") if isinstance(recipe, dict) else None


def _read(folder: RunFolder) -> Run:
    if not folder.record.is_file():
        raise InputError("not the folder of a finished run", where=folder.path, expected="run.yaml and metrics.json")
    record, stage = read_yaml(folder.record).values, _stage(folder)
    if stage not in STAGES:
        raise InputError("no report knows this stage", where=folder.record, got=stage, expected=", ".join(STAGES))
    side_by_side = stage == "search" and bool(record["recipe"].get("compare"))
    if not folder.metrics_file.is_file() and not side_by_side:
        raise InputError("not the folder of a finished run", where=folder.path, expected="run.yaml and metrics.json")
    run = Run(
        path=folder.path,
        name=folder.path.resolve().name.encode(errors="replace").decode(),
        stage=str(stage),
        record=record,
        metrics=_json(folder.metrics_file) if folder.metrics_file.is_file() else {},
        anytime=_optional(folder.path / "anytime.json").get("curves"),
        selection=tuple(_optional(folder.path / "selection.json").get("selection", ())),
    )
    return _comparison(run) if side_by_side else _whole(run, folder)


def _whole(run: Run, folder: RunFolder) -> Run:
    history, costs = folder.path / "history.csv", folder.path / "costs.jsonl"
    attributions = folder.path / RECORDS
    run = replace(
        run,
        evaluation=_json(folder.evaluation) if folder.evaluation.is_file() else None,
        history=read_history(history) if history.is_file() else (),
        costs=_lines(costs) if costs.is_file() else (),
        trees=tuple(read_trees(folder.trees)) if folder.trees.is_file() else (),
        attributions=_lines(attributions) if attributions.is_file() else (),
    )
    return replace(run, missing=tuple(_missing(run, folder)))


def _missing(run: Run, folder: RunFolder) -> Iterable[str]:
    if run.stage != "search":
        return
    if not run.trees:
        yield f"{folder.trees} is missing: no tree of this run is shown."
    if run.evaluation is None:
        yield (
            f"{folder.evaluation} is missing: there is no pass@k, and only chosen solutions are marked right or wrong. "
            f"Make it with: prmkit evaluate {folder.path}"
        )
    unjudged = (run.evaluation or {}).get("unsupported")
    if unjudged:
        problem, reason = next(iter(unjudged.items()))
        yield f"{run.path}: {len(unjudged)} problems were not judged, the first, {problem}, because: {reason}"


def _comparison(run: Run) -> Run:
    """The run with the strategies that are there; the others are named as missing."""
    members, missing, bare = [], [], []
    for name in run.recipe["compare"]:
        folder = RunFolder(run.path / name)
        if folder.metrics_file.is_file() and folder.record.is_file():
            member = _read(folder)
            if member.evaluation is None and member.trees:
                bare.append(name)
                member = replace(member, missing=())  # said of all at once, below
            members.append(replace(member, metrics={"benchmark": run.metrics.get("benchmark"), **member.metrics}))
        else:
            missing.append(f"{folder.path} holds no finished run: the strategy {name} is not shown.")
    if not members:
        raise InputError("no strategy of this run is finished", where=run.path, cure="Go on with --resume.")
    if missing:
        missing.append(f"Go on with: prmkit search {run.path / 'run.yaml'} --out {run.path} --resume")
    if bare:
        missing.append(
            f"No evaluation.json in {', '.join(bare)}: there is no pass@k, and only chosen solutions are marked right "
            f"or wrong. Make each with: prmkit evaluate {run.path}/STRATEGY"
        )
    if run.anytime is None:
        missing.append(f"No curve over budgets. Make it with: prmkit evaluate {run.path} --anytime")
    return replace(run, members=tuple(members), missing=tuple(missing))


def _named(runs: Sequence[Run]) -> list[Run]:
    """Short names that are unlike each other: of members, that of the strategy, where one comparison is reported."""
    comparisons = sum(bool(run.members) for run in runs)
    taken: dict[str, int] = {}

    def unlike(name: str) -> str:
        taken[name] = taken.get(name, 0) + 1
        return name if taken[name] == 1 else f"{name} ({taken[name]})"

    named = []
    for run in runs:
        prefix = f"{run.name}/" if comparisons > 1 else ""
        members = tuple(replace(member, name=unlike(f"{prefix}{member.name}")) for member in run.members)
        named.append(replace(run, name=unlike(run.name), members=members))
    return named


def _json(file: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(f"not JSON ({error})", where=file) from None
    if not isinstance(content, dict):
        raise InputError("not a JSON object", where=file, got=content)
    return content


def _optional(file: Path) -> dict[str, Any]:
    return _json(file) if file.is_file() else {}


def _lines(file: Path) -> tuple[dict[str, Any], ...]:
    return tuple(record for _, record in read_lines(file))


def read_history(file: Path) -> tuple[dict[str, float], ...]:
    """The lines of a training's history.csv. Raises InputError if it is none."""
    with file.open(newline="", encoding="utf-8") as stream:
        try:
            return tuple({key: float(value) for key, value in row.items()} for row in csv.DictReader(stream))
        except (TypeError, ValueError) as error:
            raise InputError(f"not a history of a training ({error})", where=file) from None
