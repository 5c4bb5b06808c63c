"""Searches side by side: their accuracies and costs, and their differences, paired over the same problems."""

import math
from collections.abc import Iterator, Mapping, Sequence

from prmkit.evaluate.anytime import AnytimeResult
from prmkit.evaluate.side_by_side import Difference, side_by_side
from prmkit.report.blocks import Axis, Block, Figure, Heading, Section, Series, Table
from prmkit.report.estimates import interval_verdict, percent
from prmkit.report.read import Run, with_members
from prmkit.report.sections.anytime import AXES, anytime_figures
from prmkit.report.sections.pairing import benchmark_of, groups_of
from prmkit.search.result import ProblemCost
from prmkit.stats import Estimate

_SHOWN_PAIRS = 30
_SEED = 0


def strategies(runs: Sequence[Run]) -> Section:
    """A table and the paired differences of each group of searches on the same problems; accuracy against budgets.

    Why the others are not paired stands in the overview.
    """
    groups = groups_of(runs)
    blocks = [block for group in groups if len(group) > 1 for block in _group(group, several=len(groups) > 1)]
    for run in with_members(runs):
        if (found := run.found(AnytimeResult)) is not None:
            blocks += [Heading(f"Accuracy against budget, {run.name}"), *anytime_figures(found.curves, run.name)]
    return Section("Strategies side by side", blocks)


def _group(group: Sequence[Run], *, several: bool) -> Iterator[Block]:
    costs = {run.name: sorted(run.costs, key=lambda cost: cost.problem) for run in group}
    found = side_by_side(costs, seed=_SEED)
    if several:
        yield Heading(benchmark_of(group[0]))
    rows = found.strategies
    yield Figure(
        title=f"Accuracy of each strategy, {benchmark_of(group[0])}",
        caption="Bars are standard errors over problems; the paired differences below are what to compare by.",
        x=Axis(title="accuracy, %"),
        y=Axis(title=""),
        series=[
            Series(
                name="accuracy",
                x=[row.strategy for row in rows],
                y=[100.0 * row.accuracy.value for row in rows],
                stderr=[_known(100.0 * row.accuracy.stderr) for row in rows],
                kind="bars",
            )
        ],
        horizontal=True,
    )
    yield Table(
        columns=("strategy", "accuracy, %", "problems", *AXES.values(), "ended by the budget"),
        rows=[
            (
                row.strategy,
                percent(row.accuracy),
                row.accuracy.n,
                *(getattr(row, axis) for axis in AXES),
                row.exhausted,
            )
            for row in rows
        ],
    )
    yield from _differences(found.differences, costs, benchmark_of(group[0]))


def _differences(
    rows: Sequence[Difference], costs: Mapping[str, Sequence[ProblemCost]], benchmark: str
) -> Iterator[Block]:
    shown = rows if len(rows) <= _SHOWN_PAIRS else rows[: len(costs) - 1]  # of many, those with the first strategy
    yield Figure(
        title=f"Paired differences, {benchmark}",
        caption="Points of accuracy over the same problems, with 95 % bootstrap intervals. "
        "An interval that leaves out 0 tells the two apart.",
        x=Axis(title="difference of accuracies, points"),
        y=Axis(title=""),
        series=[
            Series(
                name="difference",
                x=[row.pair for row in shown],
                y=[100.0 * row.difference.value for row in shown],
                low=[100.0 * row.low for row in shown],
                high=[100.0 * row.high for row in shown],
                kind="points",
            )
        ],
        horizontal=True,
    )
    right = {name: [cost.right for cost in found] for name, found in costs.items()}
    names = list(costs)
    pairs = [(one, other) for index, one in enumerate(names) for other in names[index + 1 :]]
    yield Table(
        title="Paired differences",
        columns=("difference", "points", "95 % interval", "only the first is right", "only the second", "verdict"),
        rows=[
            (
                row.pair,
                _signed(row.difference),
                f"{100 * row.low:+.1f} to {100 * row.high:+.1f}",
                sum(a and not b for a, b in zip(right[one], right[other], strict=True)),
                sum(b and not a for a, b in zip(right[one], right[other], strict=True)),
                interval_verdict(row.low, row.high),
            )
            for row, (one, other) in zip(rows, pairs, strict=True)
        ],
    )


def _signed(difference: Estimate) -> str:
    shown = percent(difference)
    return shown if shown.startswith("-") else f"+{shown}"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
