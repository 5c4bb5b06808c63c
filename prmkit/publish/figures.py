"""What evaluated runs found about a checkpoint, one figure after the other, each with its error."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prmkit.errors import InputError
from prmkit.evaluate.evaluation import EvaluationResult
from prmkit.evaluate.labelled import StepsResult
from prmkit.evaluate.side_by_side import SideBySideResult
from prmkit.report.estimates import with_error
from prmkit.report.read import result_type
from prmkit.run.files import sha256
from prmkit.run.folder import RunFolder
from prmkit.run.results import read_result
from prmkit.search.result import SearchResult
from prmkit.stats import Estimate
from prmkit.train.result import TrainingResult


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFigure:
    """One measured value, in [0, 1] or a difference of two such; ``of`` says what it is the mean of.

    ``stderr`` is None where none can be had, and then ``n`` is not known either.
    """

    data: str
    setting: str
    metric: str
    value: float
    stderr: float | None = None
    n: int | None = None
    of: str = "problems"

    def __str__(self) -> str:
        """The value with its error, as a table shows it: an area or an error in units, a share in percent."""
        in_units = self.metric in _IN_UNITS
        scale, digits = (1, 3) if in_units else (100, 1)
        unit = "" if in_units else " points" if " - " in self.metric else " %"
        error = math.nan if self.stderr is None else self.stderr
        return with_error(Estimate(value=self.value, stderr=error, n=self.n or 0), scale=scale, digits=digits) + unit


_IN_UNITS = ("AUC within a problem", "step AUC", "AUROC", "Brier score", "calibration error")


def figures_of(folder: Path, checkpoint: Path) -> list[CardFigure]:
    """The figures of a search, or of an evaluation of single steps, that used the checkpoint.

    Args:
        folder: the run of a ``prmkit search`` or of a ``prmkit evaluate steps``.
        checkpoint: the PRM that the figures must be of.

    Raises:
        InputError: it is no such run, or it used another PRM.
    """
    run = RunFolder(folder)
    recipe = run.read_record()["recipe"]
    kind = result_type(recipe, run)
    if kind is SideBySideResult:
        cure = "Name the folder of one strategy in it."
        raise InputError("the run has no accuracy of one strategy", where=folder, cure=cure)
    if kind not in (SearchResult, StepsResult):
        raise InputError(
            "a card has no figures of such a run",
            where=folder,
            got=recipe["stage"],
            expected="the run of a `prmkit search` or of a `prmkit evaluate steps`",
        )
    _check_prm((recipe.get("scorer") or {}).get("checkpoint"), checkpoint, run)
    if not run.metrics_file.is_file():
        raise InputError("the run is not finished", where=folder, cure="Let it end first.")
    return list(_searched(run, recipe) if kind is SearchResult else _stepwise(run, recipe))


def held_out(training: TrainingResult, corpus: str) -> list[CardFigure]:
    """The figures of the training's own held-out problems: of the kept weights, without errors."""
    figures = {
        "AUROC": training.auroc,
        "first-error F1": training.f1,
        "Brier score": training.brier,
        "calibration error": training.ece,
    }
    setting = "the training's own held-out problems"
    return [
        CardFigure(data=corpus, setting=setting, metric=shown, value=value)
        for shown, value in figures.items()
        if not math.isnan(value)
    ]


def _searched(run: RunFolder, recipe: dict[str, Any]) -> Iterator[CardFigure]:
    result = read_result(run.metrics_file, SearchResult)
    strategy = recipe["strategy"]
    options = ", ".join(f"{key} = {value}" for key, value in strategy["options"].items())
    policy = Path(recipe["generator"]["name"]).name
    name = {"data": result.benchmark, "setting": f"{strategy['name']} ({options}), policy {policy}"}
    yield _figure(name, "accuracy", result.accuracy)
    if not run.evaluation.is_file():
        older = run.path / "evaluation.json"
        if older.is_file():
            cure = f"Make it again: prmkit evaluate {run.path}"
            raise InputError("an evaluation by an older prmkit, which is not read", where=older, cure=cure)
        return
    found = read_result(run.evaluation, EvaluationResult)
    for rule in ("pass@1", f"maj@{found.most}", f"prm@{found.most}", f"pass@{found.most}"):
        if rule in found.selection:
            yield _figure(name, rule, found.selection[rule])
        if found.base is not None and rule in found.base:
            yield _figure(name, f"{rule}, base tests alone", found.base[rule])
    difference = f"prm@{found.most} - maj@{found.most}"
    if difference in found.differences:
        yield _figure(name, difference, found.differences[difference])
    auc = found.within_problem_auc
    if auc is not None and auc.n:
        yield _figure(name, "AUC within a problem", auc)


def _stepwise(run: RunFolder, recipe: dict[str, Any]) -> Iterator[CardFigure]:
    result = read_result(run.metrics_file, StepsResult)
    name = {
        "data": f"{recipe['corpus']['source']} ({Path(recipe['corpus']['path']).name})",
        "setting": f"threshold {result.threshold:.3g}, {_origin(result.threshold_from)}",
    }
    found = {
        "first-error F1": result.f1,
        "wrong solutions with the first error found": result.erroneous,
        "right solutions without a false alarm": result.correct,
        **_prm_scores(result),
        "step AUC": result.step_auc,
        "Brier score": result.calibration.brier,
    }
    for shown, estimate in found.items():
        if estimate is not None:
            yield _figure(name, shown, estimate, of="solutions")


def _prm_scores(result: StepsResult) -> dict[str, Estimate]:
    """PRMBench's scores, of all steps and by category; where solutions have no classes, none."""
    if result.by_class is None:
        return {}
    scores = {"PRM-Score": result.by_class.prm_score}
    scores |= {f"PRM-Score, {name}": score for name, score in result.by_class.categories.items()}
    return {name: Estimate(value=score, stderr=math.nan, n=result.solutions) for name, score in scores.items()}


def _origin(split: str) -> str:
    return "fixed beforehand" if split == "given" else f"chosen on {Path(split).name}"


def _figure(name: Mapping[str, str], metric: str, estimate: Estimate, *, of: str = "problems") -> CardFigure:
    error = None if math.isnan(estimate.stderr) else estimate.stderr
    return CardFigure(**name, metric=metric, value=estimate.value, stderr=error, n=estimate.n, of=of)


def _check_prm(used: str | None, checkpoint: Path, run: RunFolder) -> None:
    """Refuse figures that another PRM gave. The same weights in another folder are the same PRM."""
    if used is None:
        raise InputError("the run used no PRM", where=run.path, expected=f"one that used {checkpoint}")
    folder = Path(used)
    if folder.is_dir() and (folder.resolve() == checkpoint.resolve() or _weights(folder) == _weights(checkpoint)):
        return
    raise InputError(
        "the run used another PRM",
        where=run.path,
        got=used,
        expected=str(checkpoint),
        cure="" if folder.is_dir() else "If it has moved, run this where its recipe finds it.",
    )


def _weights(folder: Path) -> list[str]:
    return sorted(sha256(file) for file in folder.glob("*.safetensors"))
