"""Accuracy of the selection rules: against the number of samples, at the most samples, and by group."""

import math
from collections.abc import Iterator, Sequence
from typing import Literal

from prmkit.evaluate.compare import Comparison
from prmkit.evaluate.curves import Curves
from prmkit.evaluate.evaluation import EvaluationResult
from prmkit.evaluate.reselection import SelectionResult
from prmkit.report.blocks import Axis, Block, Figure, Heading, Prose, Section, Series, Table
from prmkit.report.estimates import percent
from prmkit.report.read import Run, single, with_members
from prmkit.stats import Estimate

RULES = {
    "pass": "pass@k: any of k is right",
    "maj": "maj@k: the vote",
    "prm": "prm@k: the PRM's choice",
    "weighted": "weighted@k: the vote, weighted by the PRM",
}


def accuracy(runs: Sequence[Run]) -> Section:
    """Of each evaluated run."""
    evaluated = [(run, run.evaluation) for run in single(runs) if run.evaluation is not None]
    rules = [_rules(evaluated)] if evaluated else []
    blocks = [block for run, found in evaluated for block in _of(run, found)]
    return Section("Accuracy", [*rules, *_reselected(runs), *blocks])


def _of(run: Run, found: EvaluationResult) -> Iterator[Block]:
    yield Heading(run.title)
    if len(found.curves.k) > 1:
        yield Figure(
            title=f"Accuracy by samples, {run.name}",
            caption="Bars are standard errors over problems. pass@k is what a perfect choice would reach.",
            x=Axis(title="samples a problem", log=True),
            y=Axis(title="accuracy, %"),
            series=_curves(found.curves),
        )
    if found.comparison:
        yield _compared(run, found.comparison)
    if (seen := found.contamination) is not None:
        yield Prose([f"{seen.seen} of {seen.of} problems have been seen in {seen.corpus}."], warning=seen.seen > 0)
    for kind, groups in found.groups.items():
        every = (f"{rule}@{found.most}" for rule in RULES)
        rules = [rule for rule in every if any(rule in each for each in groups.values())]
        yield Figure(
            title=f"Accuracy by {kind}, {run.name}",
            caption=", ".join(f"{name}: {each['pass@1'].n} problems" for name, each in groups.items()),
            x=Axis(title=kind),
            y=Axis(title=f"accuracy at {found.most} samples, %"),
            series=[
                _percentages(rule, list(groups), [each.get(rule) for each in groups.values()], "bars") for rule in rules
            ],
        )


def _curves(curves: Curves) -> list[Series]:
    found = {"pass": curves.pass_, "maj": curves.maj, "prm": curves.prm}
    return [_percentages(RULES[rule], curves.k, values, "line") for rule, values in found.items() if values]


def _percentages(
    name: str, x: Sequence[str | int], found: Sequence[Estimate | None], kind: Literal["line", "bars"]
) -> Series:
    values = [None if each is None or math.isnan(each.value) else 100.0 * each.value for each in found]
    errors = [None if each is None or math.isnan(each.stderr) else 100.0 * each.stderr for each in found]
    return Series(name=name, x=x, y=values, stderr=errors, kind=kind)


def _compared(run: Run, rows: Sequence[Comparison]) -> Table:
    return Table(
        title=f"{run.name} less the run it was compared with",
        columns=("rule", "difference, points", "95 % interval", "only this solves", "only the other", "McNemar's p"),
        rows=[
            (
                row.rule,
                percent(row.difference),
                f"{100.0 * row.low:+.1f} to {100.0 * row.high:+.1f}",
                row.better,
                row.worse,
                f"{row.mcnemar:.3g}",
            )
            for row in rows
        ],
    )


def _rules(evaluated: Sequence[tuple[Run, EvaluationResult]]) -> Table:
    """Each rule at the most samples, and how it differs from one sample over the same problems."""
    rows = []
    for run, found in evaluated:
        most = found.most
        for rule in ("pass@1", f"maj@{most}", f"weighted@{most}", f"prm@{most}", f"pass@{most}"):
            if rule in found.selection:
                difference = found.differences.get(f"{rule} - pass@1")
                rows.append((run.title, rule, percent(found.selection[rule]), percent(difference)))
            if found.base is not None and rule in found.base:
                rows.append((run.title, f"{rule}, base tests alone", percent(found.base[rule]), percent(None)))
    columns = ("run", "rule", "accuracy, %", "paired difference to pass@1, points")
    return Table(title="Selection rules", columns=columns, rows=rows, texts=2)


def _reselected(runs: Sequence[Run]) -> Iterator[Block]:
    """The answers chosen again by every rule and aggregation (``prmkit evaluate selection``)."""
    for run in with_members(runs):
        if (found := run.found(SelectionResult)) is not None:
            rows = [
                (row.strategy, row.rule, row.aggregation, percent(row.accuracy), row.accuracy.n)
                for row in found.selection
            ]
            columns = ("strategy", "rule", "aggregation of step scores", "accuracy, %", "problems")
            yield Table(title=f"Every rule and aggregation, {run.name}", columns=columns, rows=rows, texts=3)
