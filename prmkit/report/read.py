"""Runs as a report reads them: from their folders alone, nothing is computed again."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prmkit.attribution.record import RECORDS
from prmkit.errors import InputError
from prmkit.evaluate.anytime import AnytimeResult
from prmkit.evaluate.evaluation import EvaluationResult
from prmkit.evaluate.reselection import SelectionResult
from prmkit.evaluate.side_by_side import SideBySideResult
from prmkit.recipe.stages import STAGES, stage_named
from prmkit.run.folder import RunFolder
from prmkit.run.results import Kind, Result, read_result
from prmkit.search.result import COSTS, ProblemCost, SearchResult, read_costs
from prmkit.tree import StepTree
from prmkit.trees_io import read_lines, read_trees


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, as far as its folder tells.

    Attributes:
        path: its folder, as it was given.
        name: unlike that of any other run of the report.
        stage: what it did.
        record: run.yaml.
        result: metrics.json; None of strategies side by side that are not all finished.
        benchmark: what a search searched.
        evaluation: of a search, None where it was not evaluated; of an evaluation, its result.
        anytime: of a search: its accuracy at every budget.
        selection: of a search: its answers chosen again.
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
    result: Result | None
    benchmark: str = ""
    evaluation: EvaluationResult | None = None
    anytime: AnytimeResult | None = None
    selection: SelectionResult | None = None
    history: tuple[dict[str, float], ...] = ()
    costs: tuple[ProblemCost, ...] = ()
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
        return f"{self.name} ({self.benchmark})" if self.benchmark and self.benchmark not in self.name else self.name


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
    runs.sort(key=lambda run: str(run.read_record().get("created")))
    return runs or [folder]


def _stage(folder: RunFolder) -> Any:
    return folder.read_record()["recipe"].get("stage")


def _read(folder: RunFolder, searched: str = "") -> Run:
    if not folder.record.is_file():
        raise InputError("not the folder of a finished run", where=folder.path, expected="run.yaml and metrics.json")
    record = folder.read_record()
    recipe = record["recipe"]
    kind = stage_named(recipe.get("stage"), where=folder.record).result(recipe)
    side_by_side = kind is SideBySideResult
    if not folder.metrics_file.is_file() and not side_by_side:
        raise InputError("not the folder of a finished run", where=folder.path, expected="run.yaml and metrics.json")
    result = read_result(folder.metrics_file, kind) if folder.metrics_file.is_file() else None
    run = Run(
        path=folder.path,
        name=folder.path.resolve().name.encode(errors="replace").decode(),
        stage=str(recipe["stage"]),
        record=record,
        result=result,
        benchmark=result.benchmark if isinstance(result, SearchResult | SideBySideResult) else searched,
        anytime=_beside(folder, "anytime", AnytimeResult),
        selection=_beside(folder, "selection", SelectionResult),
    )
    return _comparison(run) if side_by_side else _whole(run, folder)


def _beside(folder: RunFolder, name: str, kind: type[Kind]) -> Kind | None:
    """What an evaluation of this run found, in its own folder within the run's."""
    file = RunFolder(folder.path / name).metrics_file
    return read_result(file, kind) if file.is_file() else None


def _whole(run: Run, folder: RunFolder) -> Run:
    history, attributions = folder.path / "history.csv", folder.path / RECORDS
    evaluation = run.result if isinstance(run.result, EvaluationResult) else None
    run = replace(
        run,
        evaluation=evaluation or _beside(folder, folder.evaluation.parent.name, EvaluationResult),
        history=read_history(history) if history.is_file() else (),
        costs=tuple(read_costs(folder.trees)) if folder.trees.with_name(COSTS).is_file() else (),
        trees=tuple(read_trees(folder.trees)) if folder.trees.is_file() else (),
        attributions=tuple(record for _, record in read_lines(attributions)) if attributions.is_file() else (),
    )
    return replace(run, missing=tuple(_missing(run, folder)))


def _missing(run: Run, folder: RunFolder) -> Iterable[str]:
    if not isinstance(run.result, SearchResult):
        return
    if not run.trees:
        yield f"{folder.trees} is missing: no tree of this run is shown."
    if run.evaluation is None:
        yield (
            f"{folder.path} is not evaluated: there is no pass@k, and only chosen solutions are marked right or wrong. "
            f"Make it with: prmkit evaluate {folder.path}"
        )
    elif unjudged := run.evaluation.unsupported:
        problem, reason = next(iter(unjudged.items()))
        yield f"{run.path}: {len(unjudged)} problems were not judged, the first, {problem}, because: {reason}"


def _comparison(run: Run) -> Run:
    """The run with the strategies that are there; the others are named as missing."""
    members, missing, bare = [], [], []
    for name in run.recipe["compare"]:
        folder = RunFolder(run.path / name)
        if folder.metrics_file.is_file() and folder.record.is_file():
            member = _read(folder, run.benchmark)
            if member.evaluation is None and member.trees:
                bare.append(name)
                member = replace(member, missing=())  # said of all at once, below
            members.append(member)
        else:
            missing.append(f"{folder.path} holds no finished run: the strategy {name} is not shown.")
    if not members:
        raise InputError("no strategy of this run is finished", where=run.path, cure="Go on with --resume.")
    if missing:
        missing.append(f"Go on with: prmkit search {run.path / 'run.yaml'} --out {run.path} --resume")
    if bare:
        missing.append(
            f"{', '.join(bare)} are not evaluated: there is no pass@k, and only chosen solutions are marked right or "
            f"wrong. Evaluate each with: prmkit evaluate {run.path}/STRATEGY"
        )
    if run.anytime is None:
        missing.append(f"No curve over budgets. Make it with: prmkit evaluate anytime {run.path}")
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


def read_history(file: Path) -> tuple[dict[str, float], ...]:
    """The lines of a training's history.csv. Raises InputError if it is none."""
    with file.open(newline="", encoding="utf-8") as stream:
        try:
            return tuple({key: float(value) for key, value in row.items()} for row in csv.DictReader(stream))
        except (TypeError, ValueError) as error:
            raise InputError(f"not a history of a training ({error})", where=file) from None
