"""Runs as a report reads them: from their folders alone, nothing is computed again."""

import csv
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prmkit.attribution.record import RecordedAttribution, read_records
from prmkit.errors import InputError
from prmkit.evaluate.anytime import AnytimeResult
from prmkit.evaluate.evaluation import EvaluationResult
from prmkit.evaluate.side_by_side import SideBySideResult
from prmkit.recipe.stages import STAGES, stage_named
from prmkit.run.activity import busy
from prmkit.run.folder import RunFolder
from prmkit.run.results import Result, ResultKind, read_result
from prmkit.search.result import COSTS, ProblemCost, SearchResult, read_costs
from prmkit.tree import StepTree
from prmkit.trees_io import read_trees

_OLDER_STAGE = "evaluate"
_OLDER_OPTIONS = {
    "prm": "--prm",
    "adapter": "--adapter",
    "source": "--source",
    "threshold": "--threshold",
    "benchmark": "--benchmark",
    "grader": "--grader",
    "vote": "--vote",
}
"""By key of its recipe."""
_OLDER = {
    "evaluation.json": "evaluate",
    "anytime.json": "evaluate anytime",
    "selection.json": "evaluate selection",
    "rethinking.json": "evaluate rethinking",
}
"""Where older versions kept the evaluations of a search, and the verb that makes each again, in a folder of its own."""

_UNJUDGED = "there is no pass@k, and only chosen solutions are marked right or wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, as far as its folder tells.

    Attributes:
        path: its folder, as it was given.
        name: unlike that of any other run of the report.
        stage: what it did.
        record: run.yaml.
        result: metrics.json; None of strategies side by side that are not all finished.
        evaluations: finished ones of this run, each in a folder of its own within it.
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
    evaluations: tuple["Run", ...] = ()
    history: tuple[dict[str, float], ...] = ()
    costs: tuple[ProblemCost, ...] = ()
    trees: tuple[StepTree, ...] = ()
    attributions: tuple[RecordedAttribution, ...] = ()
    members: tuple["Run", ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def recipe(self) -> dict[str, Any]:
        """What was asked for."""
        recipe: dict[str, Any] = self.record["recipe"]
        return recipe

    @property
    def benchmark(self) -> str:
        """What a search searched."""
        return self.result.benchmark if isinstance(self.result, SearchResult | SideBySideResult) else ""

    @property
    def title(self) -> str:
        """The name, and what was searched where that says more."""
        return f"{self.name} ({self.benchmark})" if self.benchmark and self.benchmark not in self.name else self.name

    @property
    def evaluation(self) -> EvaluationResult | None:
        """What its solutions achieve, where they were judged."""
        return self.found(EvaluationResult)

    def found(self, kind: type[ResultKind]) -> ResultKind | None:
        """The result of this kind: the run's own, or that of an evaluation of it."""
        results = (self.result, *(each.result for each in self.evaluations))
        return next((each for each in results if isinstance(each, kind)), None)


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs of these folders, in their order; strategies side by side are members of the run they belong to.

    In the place of a folder that is no run of a known stage, such as that of a demo, stand the finished runs in it, the
    oldest first.

    Raises:
        InputError: a folder holds no finished run, or one of an unknown stage; a file of it is not what it should be.
    """
    if not folders:
        raise InputError("no run to report", expected="at least one run folder")
    with busy("reading the runs") as activity:
        inner = [run for folder in folders for run in _runs_in(RunFolder(folder))]
        runs = []
        for run in inner:
            runs.append(_read(run))
            activity.share = len(runs) / len(inner)
    return _named(runs)


def single(runs: Iterable[Run]) -> list[Run]:
    """The runs, with the members of a comparison in the place of the whole."""
    return [one for run in runs for one in (run.members or (run,))]


def with_members(runs: Iterable[Run]) -> list[Run]:
    """The runs, each with its members behind it."""
    return [one for run in runs for one in (run, *run.members)]


def result_type(recipe: Mapping[str, Any], folder: RunFolder) -> type[Result]:
    """What the result of a run is, by its recipe.

    Raises:
        InputError: with the folder: its stage is unknown, or was the ``evaluate`` of an older prmkit.
    """
    if recipe.get("stage") == _OLDER_STAGE:
        raise InputError(
            f"an older prmkit ran this (stage {_OLDER_STAGE}), and it is not read any more",
            where=folder.path,
            cure=f"Make it again: {_again(recipe, folder.path)}",
        )
    return stage_named(recipe.get("stage"), where=folder.record).result(recipe)


def _again(recipe: Mapping[str, Any], folder: Path) -> str:
    """The command that makes an evaluation of an older prmkit again."""
    options = dict(_OLDER_OPTIONS)
    if isinstance(recipe.get("threshold"), str):
        options["threshold"] = "--choose-on"
    given = [
        str(part) for key, option in options.items() if recipe.get(key) is not None for part in (option, recipe[key])
    ]
    verb = ["steps"] if "prm" in recipe else []
    words = ["prmkit", "evaluate", *verb, str(recipe.get("path")), *given, "--out", str(folder), "--overwrite"]
    return shlex.join(words)


def read_history(file: Path) -> tuple[dict[str, float], ...]:
    """The lines of a training's history.csv.

    Raises:
        InputError: it is none.
    """
    with file.open(newline="", encoding="utf-8") as stream:
        try:
            rows = tuple({key: float(value) for key, value in row.items()} for row in csv.DictReader(stream))
        except (TypeError, ValueError, csv.Error) as error:
            raise InputError(f"not a history of a training ({error})", where=file) from None
    if rows and "step" not in rows[0]:
        raise InputError("not a history of a training", where=file, got=list(rows[0]), expected="a column step")
    return rows


def _runs_in(folder: RunFolder) -> list[RunFolder]:
    if folder.record.is_file() and folder.read_record()["recipe"].get("stage") in [*STAGES, _OLDER_STAGE]:
        return [folder]
    runs = [child for child in _children(folder) if _finished(child)]
    runs.sort(key=lambda run: str(run.read_record().get("created")))
    return runs or [folder]


def _children(folder: RunFolder) -> list[RunFolder]:
    return [RunFolder(child) for child in sorted(folder.path.iterdir())] if folder.path.is_dir() else []


def _finished(folder: RunFolder) -> bool:
    return folder.record.is_file() and folder.metrics_file.is_file()


def _read(folder: RunFolder) -> Run:
    run = _bare(folder) if folder.record.is_file() else None
    if run is not None and result_type(run.recipe, folder) is SideBySideResult:
        return _comparison(run)
    if run is None or run.result is None:
        raise InputError("not the folder of a finished run", where=folder.path, expected="run.yaml and metrics.json")
    run = _whole(run, folder)
    if _unevaluated(run):
        line = f"{run.path} is not evaluated: {_UNJUDGED}. Make it with: prmkit evaluate {run.path}"
        run = replace(run, missing=(*run.missing, line))
    return run


def _bare(folder: RunFolder) -> Run:
    """The run without what lies beside its result."""
    record = folder.read_record()
    kind = result_type(record["recipe"], folder)
    return Run(
        path=folder.path,
        name=folder.path.resolve().name.encode(errors="replace").decode(),
        stage=str(record["recipe"]["stage"]),
        record=record,
        result=read_result(folder.metrics_file, kind) if folder.metrics_file.is_file() else None,
    )


def _whole(run: Run, folder: RunFolder) -> Run:
    history = folder.path / "history.csv"
    run = replace(
        run,
        evaluations=_evaluations(folder),
        history=read_history(history) if history.is_file() else (),
        costs=tuple(read_costs(folder.trees)) if folder.trees.with_name(COSTS).is_file() else (),
        trees=_trees(folder.trees) if folder.trees.is_file() else (),
        attributions=tuple(read_records(folder.path)),
    )
    return replace(run, missing=tuple(_missing(run, folder)))


def _evaluations(folder: RunFolder, members: Collection[str] = ()) -> tuple[Run, ...]:
    children = [child for child in _children(folder) if child.path.name not in members]
    return tuple(_bare(child) for child in children if _finished(child))


def _trees(file: Path) -> tuple[StepTree, ...]:
    trees = tuple(read_trees(file))
    for tree in trees:
        try:
            _ = tree.chosen
        except InputError as error:
            raise InputError(str(error), where=file) from None
    return trees


def _missing(run: Run, folder: RunFolder) -> Iterator[str]:
    if not isinstance(run.result, SearchResult):
        return
    if not run.trees:
        yield f"{folder.trees} is missing: no tree of this run is shown."
    yield from _unread(run)


def _unevaluated(run: Run) -> bool:
    return isinstance(run.result, SearchResult) and run.evaluation is None and not _older(run, "evaluation.json")


def _older(run: Run, name: str) -> bool:
    """Whether an older prmkit kept this evaluation of the run, and no newer one did since."""
    again = RunFolder(run.path / name.removesuffix(".json"))
    return (run.path / name).is_file() and not again.metrics_file.is_file()


def _unread(run: Run) -> Iterator[str]:
    """What an older prmkit found, of which nothing is shown."""
    for name, verb in _OLDER.items():
        if _older(run, name):
            lost = f": {_UNJUDGED}" if name == "evaluation.json" else ""
            file = run.path / name
            yield f"An older prmkit wrote {file}, which is not read{lost}. Make it again: prmkit {verb} {run.path}"


def _comparison(run: Run) -> Run:
    """The run with the strategies that are there; the others are named as missing."""
    parts = {name: RunFolder(run.path / name) for name in run.recipe["compare"]}
    run = replace(run, evaluations=_evaluations(RunFolder(run.path), parts))
    members = [_whole(_bare(part), part) for part in parts.values() if _finished(part)]
    missing = [
        f"{part.path} holds no finished run: the strategy {name} is not shown."
        for name, part in parts.items()
        if not _finished(part)
    ]
    if not members:
        raise InputError("no strategy of this run is finished", where=run.path, cure="Go on with --resume.")
    if missing:
        missing.append(f"Go on with: prmkit search {run.path / 'run.yaml'} --out {run.path} --resume")
    if bare := [member.name for member in members if _unevaluated(member)]:
        missing.append(
            f"{', '.join(bare)} are not evaluated: {_UNJUDGED}. Make each with: prmkit evaluate {run.path}/STRATEGY"
        )
    if run.found(AnytimeResult) is None and not _older(run, "anytime.json"):
        missing.append(f"No curve over budgets. Make it with: prmkit evaluate anytime {run.path}")
    return replace(run, members=tuple(members), missing=(*missing, *_unread(run)))


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
