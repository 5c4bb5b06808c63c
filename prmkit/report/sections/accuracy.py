"""Accuracy of the selection rules: against the number of samples, at the most samples, and by group."""

import math
from collections.abc import Iterator, Sequence
from typing import Literal

from prmkit.evaluate.curves import Curves
from prmkit.report.blocks import Axis, Block, Figure, Heading, Prose, Section, Series, Table
from prmkit.report.estimates import percent
from prmkit.report.read import Run, single
from prmkit.report.sections.records import records_table
from prmkit.stats import Estimate

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
    found = run.evaluation
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
        records = [dict(row) for row in found.comparison]
        yield records_table(records, f"{run.name} less the run it was compared with")
    if (seen := found.contamination) is not None:
        yield Prose([f"{seen.seen} of {seen.of} problems have been seen in {seen.corpus}."], warning=seen.seen > 0)
    for kind, groups in found.groups.items():
        rules = [rule for rule in RULES if any(f"{rule}@{found.most}" in each for each in groups.values())]
        yield Figure(
            title=f"Accuracy by {kind}, {run.name}",
            caption=", ".join(f"{name}: {each['pass@1'].n} problems" for name, each in groups.items()),
            x=Axis(title=kind),
            y=Axis(title=f"accuracy at {found.most} samples, %"),
            series=[
                _percentages(
                    f"{rule}@{found.most}",
                    list(groups),
                    [each[f"{rule}@{found.most}"] for each in groups.values()],
                    "bars",
                )
                for rule in rules
            ],
        )


def _curves(curves: Curves) -> list[Series]:
    found = {"pass": curves.pass_, "maj": curves.maj, "prm": curves.prm}
    return [_percentages(RULES[rule], curves.k, values, "line") for rule, values in found.items() if values]


def _percentages(name: str, x: Sequence[str | int], found: Sequence[Estimate], kind: Literal["line", "bars"]) -> Series:
    values = [None if math.isnan(each.value) else 100.0 * each.value for each in found]
    errors = [None if math.isnan(each.stderr) else 100.0 * each.stderr for each in found]
    return Series(name=name, x=x, y=values, stderr=errors, kind=kind)


def _rules(runs: Sequence[Run]) -> Table:
    """Each rule at the most samples, and how it differs from one sample over the same problems."""
    rows = []
    for run in runs:
        assert run.evaluation is not None
        found, most = run.evaluation, run.evaluation.most
        for rule in ("pass@1", f"maj@{most}", f"weighted@{most}", f"prm@{most}", f"pass@{most}"):
            if rule in found.selection:
                difference = found.differences.get(f"{rule} - pass@1")
                rows.append((run.title, rule, percent(found.selection[rule]), percent(difference)))
    columns = ("run", "rule", "accuracy, %", "paired difference to pass@1, points")
    return Table(title="Selection rules", columns=columns, rows=rows, texts=2)


def _reselected(runs: Sequence[Run]) -> Iterator[Block]:
    """The answers chosen again by every rule and aggregation (``prmkit evaluate selection``)."""
    for run in (one for each in runs for one in (each, *each.members)):
        if run.selection is not None:
            rows = [
                (row.strategy, row.rule, row.aggregation, percent(row.accuracy), row.accuracy.n)
                for row in run.selection.selection
            ]
            columns = ("strategy", "rule", "aggregation of step scores", "accuracy, %", "problems")
            yield Table(title=f"Every rule and aggregation, {run.name}", columns=columns, rows=rows, texts=3)
