"""Searches side by side: only those of the same problems are paired, and of the others it is said why not."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prmkit.evaluate.side_by_side import side_by_side
from prmkit.report.blocks import Axis, Block, Figure, Heading, Prose, Section, Series, Table
from prmkit.report.estimates import interval_verdict
from prmkit.report.read import Run, single

AXES = {
    "generations": "generations a problem",
    "generated_tokens": "tokens generated a problem",
    "total_tokens": "tokens of policy and PRM a problem",
    "flops": "FLOPs a problem",
    "seconds": "seconds a problem",
}
_KINDS = {
    "parts": "from one run of independent parts",
    "checkpoints": "from one run, as it went on",
    "point": "one run, one budget",
}
_SHOWN_PAIRS = 30
_SEED = 0


def strategies(runs: Sequence[Run]) -> Section:
    """A table and the paired differences of each group of searches on the same problems; accuracy against budgets."""
    groups = groups_of(runs)
    curved = [one for run in runs for one in (run, *run.members) if one.anytime]
    if not curved and all(len(group) == 1 for group in groups) and not _one_benchmark(groups):
        return Section("Strategies side by side")
    blocks: list[Block] = []
    if len(groups) > 1:
        blocks.append(Prose(refusals(groups), warning=_one_benchmark(groups)))
    for group in groups:
        if len(group) > 1:
            blocks += _group(group, several=len(groups) > 1)
    for run in curved:
        blocks += [Heading(f"Accuracy against budget, {run.name}"), *anytime_figures(run.anytime or {}, run.name)]
    return Section("Strategies side by side", blocks)


def groups_of(runs: Sequence[Run]) -> list[list[Run]]:
    """The searches with costs, grouped by their problems: the same ids, texts and answers, in any order."""
    groups: dict[object, list[Run]] = {}
    for run in single(runs):
        if run.stage == "search" and run.costs:
            groups.setdefault(frozenset(_problems(run).items()), []).append(run)
    return list(groups.values())


def refusals(groups: Sequence[Sequence[Run]]) -> list[str]:
    """Why the runs of one group are not paired with those of another."""
    lines = []
    for index, one in enumerate(groups):
        for other in groups[index + 1 :]:
            a, b = _problems(one[0]), _problems(other[0])
            names = f"{_listed(one)} and {_listed(other)}"
            shared = a.keys() & b.keys()
            changed = sum(a[key] != b[key] for key in shared)
            if changed:
                reason = f"{changed} of the {len(shared)} problem ids that both have name different texts or answers"
            elif shared:
                reason = f"they searched {len(a)} and {len(b)} problems, of which both have {len(shared)}"
            else:
                reason = f"they have no problem in common ({_benchmark(one[0])}, {_benchmark(other[0])})"
            lines.append(f"{names} are not compared: {reason}.")
    return lines


def anytime_figures(curves: Mapping[str, Mapping[str, Any]], name: str) -> list[Figure]:
    """A figure for each axis that was measured; it says of each curve where it comes from."""
    figures = []
    for axis, title in AXES.items():
        series = []
        for strategy, curve in curves.items():
            points = sorted((p for p in curve["points"] if p.get(axis)), key=lambda p, axis=axis: float(p[axis]))  # type: ignore[misc]
            if points:
                series.append(
                    Series(
                        name=f"{strategy} ({_KINDS.get(curve['kind'], curve['kind'])})",
                        x=[p[axis] for p in points],
                        y=[p["accuracy, %"] for p in points],
                        stderr=[p["stderr"] for p in points],
                    )
                )
        if series:
            figures.append(
                Figure(
                    title=f"Accuracy by {title}, {name}",
                    caption="Bars are standard errors over problems.",
                    x=Axis(title=title, log=True),
                    y=Axis(title="accuracy, %"),
                    series=series,
                )
            )
    return figures


def _group(group: Sequence[Run], *, several: bool) -> Iterator[Block]:
    records = {run.name: sorted(run.costs, key=lambda record: str(record["problem"])) for run in group}
    found = side_by_side(records, seed=_SEED)
    if several:
        yield Heading(_benchmark(group[0]))
    rows = found["strategies"]
    yield Figure(
        title=f"Accuracy of each strategy, {_benchmark(group[0])}",
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
    yield from _differences(found["differences"], records, _benchmark(group[0]))


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


def _problems(run: Run) -> dict[str, tuple[str, str | None]]:
    """The text and answer of each problem by its id; of a run without trees, the ids alone."""
    if run.trees:
        return {tree.problem.id: (tree.problem.prompt, tree.problem.answer) for tree in run.trees}
    return {str(record["problem"]): ("", None) for record in run.costs}


def _points(value: float, stderr: float | None, *, sign: bool = False) -> str:
    shown = f"{value:+.1f}" if sign else f"{value:.1f}"
    return shown if stderr is None else f"{shown} ± {stderr:.1f}"


def _benchmark(run: Run) -> str:
    return str(run.metrics.get("benchmark") or run.name)


def _one_benchmark(groups: Sequence[Sequence[Run]]) -> bool:
    """Whether two groups name the same benchmark, so that a reader would expect them to be paired."""
    return len({_benchmark(group[0]) for group in groups}) < len(groups)


def _listed(group: Sequence[Run]) -> str:
    return ", ".join(run.name for run in group)
