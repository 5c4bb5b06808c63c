"""What evaluated runs found about a checkpoint, one figure after the other, each with its error."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from prmkit.errors import InputError
from prmkit.report.estimates import with_error
from prmkit.run.files import sha256
from prmkit.run.folder import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
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
        return with_error({"value": self.value, "stderr": self.stderr}, scale=scale, digits=digits) + unit


_IN_UNITS = ("AUC within a problem", "step AUC", "AUROC", "Brier score", "calibration error")

_FIRST_ERRORS = (
    ("f1", "first-error F1"),
    ("erroneous", "wrong solutions with the first error found"),
    ("correct", "right solutions without a false alarm"),
)


def figures_of(folder: Path, checkpoint: Path) -> list[Figure]:
    """The figures of a search, or of an evaluation of single steps, that used the checkpoint.

    Args:
        folder: the run of a ``prmkit search`` or of a ``prmkit evaluate --prm``.
        checkpoint: the PRM that the figures must be of.

    Raises:
        InputError: it is no such run, or it used another PRM.
    """
    run = RunFolder(folder)
    recipe = run.read_record()["recipe"]
    stage = recipe.get("stage")
    if stage == "search":
        _check_prm((recipe.get("scorer") or {}).get("checkpoint"), checkpoint, run)
        return list(_searched(run, recipe))
    if stage == "evaluate" and "prm" in recipe:
        _check_prm(recipe["prm"], checkpoint, run)
        return list(_stepwise(run, recipe))
    raise InputError(
        "a card has no figures of such a run",
        where=folder,
        got=stage,
        expected="the run of a `prmkit search` or of a `prmkit evaluate --prm`",
    )


def held_out(metrics: Mapping[str, Any], corpus: str) -> list[Figure]:
    """The figures of the training's own held-out problems: of the kept weights, without errors."""
    names = {"auroc": "AUROC", "f1": "first-error F1", "brier": "Brier score", "ece": "calibration error"}
    setting = "the training's own held-out problems"
    return [
        Figure(data=corpus, setting=setting, metric=shown, value=metrics[name])
        for name, shown in names.items()
        if metrics.get(name) is not None
    ]


def _searched(run: RunFolder, recipe: dict[str, Any]) -> Iterator[Figure]:
    metrics = run.read_metrics()
    if "accuracy" not in metrics:
        cure = "Name the folder of one strategy in it." if recipe.get("compare") else "Let it end first."
        raise InputError("the run has no accuracy of one strategy", where=run.path, cure=cure)
    strategy = recipe["strategy"]
    options = ", ".join(f"{key} = {value}" for key, value in strategy["options"].items())
    policy = Path(recipe["generator"]["name"]).name
    name = {"data": metrics["benchmark"], "setting": f"{strategy['name']} ({options}), policy {policy}"}
    yield _figure(name, "accuracy", metrics["accuracy"])
    if not run.evaluation.is_file():
        return
    found = orjson.loads(run.evaluation.read_bytes())
    most = max(int(rule.partition("@")[2]) for rule in found["selection"])
    for rule in ("pass@1", f"maj@{most}", f"prm@{most}", f"pass@{most}"):
        yield _figure(name, rule, found["selection"][rule])
    difference = f"prm@{most} - maj@{most}"
    if difference in found["differences"]:
        yield _figure(name, difference, found["differences"][difference])
    auc = found.get("within_problem_auc")
    if auc is not None and auc["value"] is not None:
        yield _figure(name, "AUC within a problem", auc)


def _stepwise(run: RunFolder, recipe: dict[str, Any]) -> Iterator[Figure]:
    metrics = run.read_metrics()
    name = {
        "data": f"{recipe['source']} ({Path(recipe['path']).name})",
        "setting": f"threshold {metrics['threshold']:.3g}, {_origin(metrics['threshold_from'])}",
    }
    for key, shown in _FIRST_ERRORS:
        if key in metrics:
            yield _figure(name, shown, metrics[key], of="solutions")
    yield _figure(name, "step AUC", metrics["step_auc"], of="solutions")
    yield _figure(name, "Brier score", metrics["calibration"]["brier"], of="solutions")


def _origin(split: str) -> str:
    return "fixed beforehand" if split == "given" else f"chosen on {Path(split).name}"


def _figure(name: Mapping[str, str], metric: str, estimate: Mapping[str, Any], *, of: str = "problems") -> Figure:
    value, stderr, n = (estimate[key] for key in ("value", "stderr", "n"))
    return Figure(**name, metric=metric, value=value, stderr=stderr, n=n, of=of)


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
