"""Accuracy of the selection rules: against the number of samples, at the most samples, and by group."""

from collections.abc import Iterator, Sequence
from typing import Any

from prmkit.report.blocks import Axis, Block, Figure, Heading, Prose, Section, Series, Table
from prmkit.report.estimates import percent
from prmkit.report.read import Run, single
from prmkit.report.sections.overview import most_samples
from prmkit.report.sections.records import records_table

RULES = {
    "pass": "pass@k: any of k is right",
    "maj": "maj@k: the vote",
    "prm": "prm@k: the PRM's choice",
    "weighted": "weighted@k: the vote, weighted by the PRM",
}


def accuracy(runs: Sequence[Run]) -> Section:
    """Of each evaluated run."""
    evaluated = [run for run in single(runs) if run.evaluation is not None]
    if not evaluated:
        return Section("Accuracy")
    blocks = [block for run in evaluated for block in _of(run)]
    return Section("Accuracy", [_rules(evaluated), *_reselected(runs), *blocks])


def _of(run: Run) -> Iterator[Block]:
    assert run.evaluation is not None
    yield Heading(run.title)
    series = _curves(run.evaluation.get("curves") or {}) or _points(run.evaluation["selection"])
    if any(len(one.x) > 1 for one in series):
        yield Figure(
            title=f"Accuracy by samples, {run.name}",
            caption="Bars are standard errors over problems. pass@k is what a perfect choice would reach.",
            x=Axis(title="samples a problem", log=True),
            y=Axis(title="accuracy, %"),
            series=series,
        )
    if run.evaluation.get("comparison"):
        yield records_table(run.evaluation["comparison"], f"{run.name} less the run it was compared with")
    seen = run.evaluation.get("contamination")
    if seen:
        yield Prose(
            [f"{seen['seen']} of {seen['of']} problems have been seen in {seen['corpus']}."], warning=seen["seen"] > 0
        )
    for kind, groups in (run.evaluation.get("groups") or {}).items():
        most = most_samples(run)
        rules = [rule for rule in RULES if any(f"{rule}@{most}" in found for found in groups.values())]
        yield Figure(
            title=f"Accuracy by {kind}, {run.name}",
            caption=", ".join(f"{name}: {found['pass@1']['n']} problems" for name, found in groups.items()),
            x=Axis(title=kind),
            y=Axis(title=f"accuracy at {most} samples, %"),
            series=[
                _estimates(f"{rule}@{most}", list(groups), [groups[g][f"{rule}@{most}"] for g in groups], "bars")
                for rule in rules
            ],
        )


def _curves(curves: dict[str, Any]) -> list[Series]:
    return [_estimates(name, curves["k"], curves[rule], "line") for rule, name in RULES.items() if rule in curves]


def _points(selection: dict[str, Any]) -> list[Series]:
    """The rules at the sample numbers of the table, from an evaluation without curves."""
    series = []
    for rule, name in RULES.items():
        named = [(key.partition("@"), value) for key, value in selection.items()]
        found = sorted(((int(k), value) for (kind, _, k), value in named if kind == rule), key=lambda pair: pair[0])
        if found:
            series.append(_estimates(name, [k for k, _ in found], [value for _, value in found], "line"))
    return series


def _estimates(name: str, x: Sequence[Any], found: Sequence[Any], kind: Any) -> Series:
    values = [None if one["value"] is None else 100.0 * one["value"] for one in found]
    errors = [None if one["stderr"] is None else 100.0 * one["stderr"] for one in found]
    return Series(name=name, x=x, y=values, stderr=errors, kind=kind)


def _rules(runs: Sequence[Run]) -> Table:
    """Each rule at the most samples, and how it differs from one sample over the same problems."""
    rows = []
    for run in runs:
        assert run.evaluation is not None
        most = most_samples(run)
        for rule in ("pass@1", f"maj@{most}", f"weighted@{most}", f"prm@{most}", f"pass@{most}"):
            if rule in run.evaluation["selection"]:
                difference = run.evaluation["differences"].get(f"{rule} - pass@1")
                rows.append((run.title, rule, percent(run.evaluation["selection"][rule]), percent(difference)))
    columns = ("run", "rule", "accuracy, %", "paired difference to pass@1, points")
    return Table(title="Selection rules", columns=columns, rows=rows, texts=2)


def _reselected(runs: Sequence[Run]) -> Iterator[Block]:
    """The answers chosen again by every rule and aggregation (``prmkit evaluate --select``)."""
    for run in (one for each in runs for one in (each, *each.members)):
        if run.selection:
            rows = [
                (row["strategy"], row["rule"], row["aggregation"] or None, percent(_fraction(row)), row["problems"])
                for row in run.selection
            ]
            columns = ("strategy", "rule", "aggregation of step scores", "accuracy, %", "problems")
            yield Table(title=f"Every rule and aggregation, {run.name}", columns=columns, rows=rows, texts=3)


def _fraction(row: dict[str, Any]) -> dict[str, Any]:
    error = row["stderr"]
    return {"value": row["accuracy, %"] / 100.0, "stderr": None if error is None else error / 100.0}
