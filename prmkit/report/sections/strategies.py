"""Searches side by side: their accuracies and costs, and their differences, paired over the same problems."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prmkit.evaluate.side_by_side import side_by_side
from prmkit.report.blocks import Axis, Block, Figure, Heading, Section, Series, Table
from prmkit.report.estimates import interval_verdict
from prmkit.report.read import Run
from prmkit.report.sections.anytime import AXES, anytime_figures
from prmkit.report.sections.pairing import benchmark_of, groups_of

_SHOWN_PAIRS = 30
_SEED = 0


def strategies(runs: Sequence[Run]) -> Section:
    """A table and the paired differences of each group of searches on the same problems; accuracy against budgets.

    Why the others are not paired stands in the overview.
    """
    groups = groups_of(runs)
    blocks = [block for group in groups if len(group) > 1 for block in _group(group, several=len(groups) > 1)]
    for run in (one for each in runs for one in (each, *each.members)):
        if run.anytime:
            blocks += [Heading(f"Accuracy against budget, {run.name}"), *anytime_figures(run.anytime, run.name)]
    return Section("Strategies side by side", blocks)


def _group(group: Sequence[Run], *, several: bool) -> Iterator[Block]:
    records = {run.name: sorted(run.costs, key=lambda record: str(record["problem"])) for run in group}
    found = side_by_side(records, seed=_SEED)
    if several:
        yield Heading(benchmark_of(group[0]))
    rows = found["strategies"]
    yield Figure(
        title=f"Accuracy of each strategy, {benchmark_of(group[0])}",
        caption="Bars are standard errors over problems; the paired differences below are what to compare by.",
        x=Axis(title="accuracy, %"),
        y=Axis(title=""),
        series=[
            Series(
                name="accuracy",
                x=[row["strategy"] for row in rows],
                y=[row["accuracy, %"] for row in rows],
                stderr=[row["stderr"] for row in rows],
                kind="bars",
            )
        ],
        horizontal=True,
    )
    yield Table(
        columns=("strategy", "accuracy, %", "problems", *AXES.values(), "ended by the budget"),
        rows=[
            (
                row["strategy"],
                _points(row["accuracy, %"], row["stderr"]),
                row["problems"],
                *(row[axis] for axis in AXES),
                row["exhausted"],
            )
            for row in rows
        ],
    )
    yield from _differences(found["differences"], records, benchmark_of(group[0]))


def _differences(
    rows: Sequence[Mapping[str, Any]], records: Mapping[str, Sequence[Mapping[str, Any]]], benchmark: str
) -> Iterator[Block]:
    shown = rows if len(rows) <= _SHOWN_PAIRS else rows[: len(records) - 1]  # of many, those with the first strategy
    yield Figure(
        title=f"Paired differences, {benchmark}",
        caption="Points of accuracy over the same problems, with 95 % bootstrap intervals. "
        "An interval that leaves out 0 tells the two apart.",
        x=Axis(title="difference of accuracies, points"),
        y=Axis(title=""),
        series=[
            Series(
                name="difference",
                x=[row["difference"] for row in shown],
                y=[row["points"] for row in shown],
                low=[row["low"] for row in shown],
                high=[row["high"] for row in shown],
                kind="points",
            )
        ],
        horizontal=True,
    )
    right = {name: [bool(record["right"]) for record in found] for name, found in records.items()}
    names = list(records)
    pairs = [(one, other) for index, one in enumerate(names) for other in names[index + 1 :]]
    yield Table(
        title="Paired differences",
        columns=("difference", "points", "95 % interval", "only the first is right", "only the second", "verdict"),
        rows=[
            (
                row["difference"],
                _points(row["points"], row["stderr"], sign=True),
                f"{row['low']:+.1f} to {row['high']:+.1f}",
                sum(a and not b for a, b in zip(right[one], right[other], strict=True)),
                sum(b and not a for a, b in zip(right[one], right[other], strict=True)),
                interval_verdict(row["low"], row["high"]),
            )
            for row, (one, other) in zip(rows, pairs, strict=True)
        ],
    )


def _points(value: float, stderr: float | None, *, sign: bool = False) -> str:
    shown = f"{value:+.1f}" if sign else f"{value:.1f}"
    return shown if stderr is None or math.isnan(stderr) else f"{shown} ± {stderr:.1f}"
