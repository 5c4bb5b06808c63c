"""The axes of a study, which of them a run ranges over, and which run waits for which."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import product
from typing import Any

from prmkit.errors import InputError, InputErrors, did_you_mean
from prmkit.recipe.compose import Composed
from prmkit.study.recipe import AxisValue, Reading, ResultConfig, RowsConfig, RunConfig, StudyRecipe
from prmkit.study.templates import Name, filled, names_in, unknown_name

Point = Mapping[str, AxisValue]
"""A value of each of some axes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The needed runs of a study in an order in which they can be run, with what each waits for and ranges over."""

    study: StudyRecipe
    composed: Composed
    order: Sequence[str]
    upstream: Mapping[str, Sequence[str]]
    over: Mapping[str, Sequence[str]]

    def points(self, axes: Sequence[str]) -> Iterator[dict[str, AxisValue]]:
        """Every combination of the values of these axes, the last axis fastest."""
        for values in product(*(self.study.axes[axis] for axis in axes)):
            yield dict(zip(axes, values, strict=True))

    def meaning(self, name: Name, point: Point) -> Any:
        """What a name of an axis means at a point, names in that filled in. Its field was checked by ``plan_of``."""
        if name.field is None:
            return point[name.name]
        value = self.study.axes[name.name][point[name.name]][name.field]  # type: ignore[index]
        return filled(value, lambda inner: self.meaning(inner, point))

    def axes_in(self, value: Any) -> list[str]:
        """The axes that the texts of a value name, in the order of the study."""
        return _axes_in(value, self.study)


def plan_of(composed: Composed, study: StudyRecipe) -> Plan:
    """What the study's result needs, checked.

    Raises:
        InputErrors: with ``file:line``: no result, an axis without values, a run that is neither recipe nor command, a
            name that stands for nothing, or runs that wait for each other.
    """
    if errors := [*_faults(composed, study)]:
        raise InputErrors(errors)
    assert study.result is not None
    upstream = {name: _upstream(run, study) for name, run in study.runs.items()}
    needed, waiting = set[str](), _read_by(study)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += upstream[name]
    try:
        sorter = TopologicalSorter({name: upstream[name] for name in study.runs if name in needed})
        order = list(sorter.static_order())
    except CycleError as error:
        circle = error.args[1]
        raise InputError(
            "runs wait for each other", where=composed.origin(("runs", circle[0])), got=" -> ".join(circle)
        ) from None
    over: dict[str, list[str]] = {}
    for name in order:
        named = {*_axes_in(_templates(study.runs[name]), study)}
        named |= {axis for other in upstream[name] for axis in over[other]}
        over[name] = [axis for axis in study.axes if axis in named]
    pairs = study.result.pairs
    if pairs is not None and pairs.by not in over[pairs.of]:
        raise InputError(
            "the run does not range over the axis",
            where=composed.origin(("result", "pairs", "by")),
            got=pairs.by,
            expected=f"one of {', '.join(over[pairs.of])}" if over[pairs.of] else "a run that names an axis",
        )
    return Plan(study=study, composed=composed, order=order, upstream=upstream, over=over)


def rows_in(result: ResultConfig) -> dict[tuple[str, str], RowsConfig]:
    """The rows of the result and of its further tables, by their place below ``result``."""
    main = {("rows", str(number)): rows for number, rows in enumerate(result.rows)}
    return main | {("tables", title): rows for title, rows in result.tables.items()}


def readings_of(rows: RowsConfig) -> list[Reading]:
    """What the rows read from runs."""
    columns = [column for column in rows.columns.values() if isinstance(column, Reading)]
    return [*([rows.each] if rows.each is not None else []), *columns]


def _templates(run: RunConfig) -> Any:
    return [run.recipe, run.set, run.command, run.gpus, run.nodes]


def _axes_in(value: Any, study: StudyRecipe) -> list[str]:
    """The axes that a value names, and those that are named in the fields which it names."""
    named, waiting = set[str](), [*names_in(value)]
    while waiting:
        name, field = waiting.pop()
        named.add(name)
        values = study.axes.get(name)
        if field is not None and isinstance(values, dict):
            waiting += [inner for each in values.values() for inner in names_in(each.get(field))]
    return [axis for axis in study.axes if axis in named]


def _upstream(run: RunConfig, study: StudyRecipe) -> list[str]:
    named = [name.name for name in names_in(_templates(run)) if name.name in study.runs]
    return list(dict.fromkeys([*named, *run.after]))


def _read_by(study: StudyRecipe) -> list[str]:
    assert study.result is not None
    read = [each.of for rows in rows_in(study.result).values() for each in readings_of(rows) if each.of is not None]
    return [*read, *([study.result.pairs.of] if study.result.pairs is not None else [])]


def _faults(composed: Composed, study: StudyRecipe) -> Iterator[InputError]:
    if study.result is None or not study.result.rows:
        yield InputError("the study has no result", where=composed.origin(("result",)), expected="result.rows")
        return
    for axis, values in study.axes.items():
        if not values:
            yield InputError("an axis without values", where=composed.origin(("axes", axis)), got=axis)
        if axis in study.runs:
            yield InputError("an axis and a run have one name", where=composed.origin(("axes", axis)), got=axis)
        before = [*study.axes][: [*study.axes].index(axis)]
        yield from _unknown(names_in(values), study, before, composed.origin(("axes", axis)))
    for name, run in study.runs.items():
        yield from _faults_of_run(composed, study, name, run)
    for under, rows in rows_in(study.result).items():
        for name, column in rows.columns.items():
            yield from _faults_of_column(study, column, composed.origin(("result", *under, "columns", name)))
        yield from _faults_of_column(study, rows.each, composed.origin(("result", *under, "each")))
    yield from _faults_of_figure(composed, study.result)
    pairs = study.result.pairs
    if pairs is not None and (pairs.of not in study.runs or pairs.by not in study.axes):
        name, known = (pairs.by, [*study.axes]) if pairs.of in study.runs else (pairs.of, [*study.runs])
        yield unknown_name(name, known, where=composed.origin(("result", "pairs")))


def _faults_of_figure(composed: Composed, result: ResultConfig) -> Iterator[InputError]:
    columns = list(dict.fromkeys(name for rows in result.rows for name in rows.columns))
    named: dict[tuple[str, ...], str | None] = {(key,): getattr(result, key) for key in ("x", "y", "series")}
    if result.within is not None:
        named["within", "cost"] = result.within.cost
    for keys, name in named.items():
        if name is not None and name not in columns:
            yield InputError(
                "the rows have no such column",
                where=composed.origin(("result", *keys)),
                got=name,
                expected=f"one of {', '.join(columns)}",
                cure=did_you_mean(name, columns),
            )


def _faults_of_column(study: StudyRecipe, column: object, where: str) -> Iterator[InputError]:
    text = column.at if isinstance(column, Reading) else column
    yield from _unknown(names_in(text), study, [*study.axes], where)
    if isinstance(column, Reading) and column.of is not None and column.of not in study.runs:
        yield unknown_name(column.of, study.runs, where=where)


def _faults_of_run(composed: Composed, study: StudyRecipe, name: str, run: RunConfig) -> Iterator[InputError]:
    where = composed.origin(("runs", name))
    if (run.recipe is None) == (run.command is None):
        yield InputError("a run is a recipe or a command", where=where, got=name, expected="one of them")
    places: dict[tuple[str, ...], Any] = {("recipe",): run.recipe, ("command",): run.command}
    places |= {("gpus",): run.gpus, ("nodes",): run.nodes}
    places |= {("set", key): value for key, value in run.set.items()}
    for keys, value in places.items():
        known, where = [*study.axes, *study.runs], composed.origin(("runs", name, *keys))
        yield from _unknown(names_in(value), study, known, where)
    for other in run.after:
        yield from _unknown(iter([Name(other, None)]), study, [*study.runs], composed.origin(("runs", name, "after")))


def _unknown(names: Iterator[Name], study: StudyRecipe, known: list[str], where: str) -> Iterator[InputError]:
    for name in names:
        if name.name not in known:
            yield unknown_name(str(name), known, where=where)
        elif name.field is not None:
            values = study.axes.get(name.name)
            fields = set.intersection(*(set(each) for each in values.values())) if isinstance(values, dict) else set()
            if name.field not in fields:
                yield unknown_name(str(name), [f"{name.name}.{each}" for each in sorted(fields)], where=where)
