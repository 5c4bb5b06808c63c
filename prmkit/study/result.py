"""What a study's cells say, as rows: figures of runs under the names of columns, averaged over what is not named."""

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prmkit.errors import InputError, did_you_mean
from prmkit.report.read import read_history
from prmkit.report.study_result import StudyRow
from prmkit.study.axes import Point, readings_of, rows_in
from prmkit.study.cell_run import record_of
from prmkit.study.grid import Cell, Grid
from prmkit.study.recipe import Reading, RowsConfig
from prmkit.study.templates import filled

MISSING: Any = object()


@dataclass(slots=True)
class Average:
    """The values that go into one figure of a row."""

    cells: set[str] = field(default_factory=set)
    values: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def add(self, found: Any, times: float, cell: str | None) -> None:
        """Take in what was read, of each cell once: a number, or an estimate with value, stderr and n. The unknown
        counts for no run.
        """
        if found is MISSING or cell in self.cells:
            return
        if cell is not None:
            self.cells.add(cell)
        if isinstance(found, Mapping):
            if found.get("stderr") is not None:
                self.errors.append(times * float(found["stderr"]))
            if "n" in found:
                self.sizes.append(int(found["n"]))
            found = found["value"]
        if found is not None:
            self.values.append(found if times == 1 else times * found)

    def as_columns(self, name: str) -> StudyRow:
        """The columns of the row. Runs of the same problems share the error over problems, so it is not divided."""
        k = len(self.values)
        # Equal values have no spread, not even that of rounding.
        mean = self.values[0] if len(set(self.values)) == 1 else sum(self.values) / k if k else None
        columns: StudyRow = {name: mean}
        if self.errors:
            columns[f"{name}_stderr"] = sum(self.errors) / len(self.errors)
        if self.sizes:
            columns[f"{name}_n"] = min(self.sizes)
        if mean is not None and k > 1:
            spread = sum((value - mean) ** 2 for value in self.values) / (k - 1)
            columns |= {f"{name}_runs": k, f"{name}_runs_stderr": math.sqrt(spread / k)}
        return columns


def rows_of(grid: Grid) -> tuple[list[StudyRow], dict[str, list[StudyRow]]]:
    """The rows of the study's result, and those of its further tables. A figure whose runs are not done is None.

    Raises:
        InputError: a run's result has no such figure; with the place in the study.
        RunError: the record of a cell is broken.
    """
    result = grid.plan.study.result
    assert result is not None
    records: dict[str, Any] = {}
    main: list[StudyRow] = []
    tables: dict[str, list[StudyRow]] = {}
    for (kind, name), rows in rows_in(result).items():
        found = _rows(grid, rows, ("result", kind, name), records)
        if kind == "rows":
            main += found
        else:
            tables[name] = found
    return main, tables


def _rows(grid: Grid, rows: RowsConfig, where: tuple[str, ...], records: dict[str, Any]) -> list[StudyRow]:
    plan = grid.plan
    texts = {name: column.at if isinstance(column, Reading) else column for name, column in rows.columns.items()}
    named = {*plan.axes_in(texts), *(axis for each in readings_of(rows) if each.of for axis in plan.over[each.of])}
    groups: dict[tuple[Any, ...], dict[str, Average]] = {}
    for point in plan.points([axis for axis in plan.study.axes if axis in named]):
        for item in _items(grid, rows, point, where, records):
            labels: StudyRow = {}
            found: dict[str, tuple[Any, float, str | None]] = {}
            for name, column in rows.columns.items():
                if isinstance(column, Reading):
                    value = _read(grid, column, point, item, (*where, "columns", name), records)
                    cell = grid.cell(column.of, point).name if column.of is not None else None
                    found[name] = value, column.times, cell
                else:
                    labels[name] = filled(column, functools.partial(plan.meaning, point=point))
            labels |= {name: value for name, (value, *_) in found.items() if isinstance(value, str)}
            figures = groups.setdefault(tuple(labels.items()), {})
            for name in found.keys() - labels.keys():
                figures.setdefault(name, Average()).add(*found[name])
    return [_ordered(rows, dict(labels), figures) for labels, figures in groups.items()]


def _ordered(rows: RowsConfig, labels: StudyRow, figures: Mapping[str, Average]) -> StudyRow:
    """The row with its columns in the order of the recipe."""
    row: StudyRow = {}
    for name in rows.columns:
        row |= {name: labels[name]} if name in labels else figures[name].as_columns(name)
    return row


def _items(
    grid: Grid, rows: RowsConfig, point: Point, where: tuple[str, ...], records: dict[str, Any]
) -> Iterator[Any]:
    if rows.each is None:
        yield None
        return
    items = _read(grid, rows.each, point, None, (*where, "each"), records)
    if items is MISSING or items is None:
        return
    if not isinstance(items, list):
        raise InputError("each is no list", where=grid.plan.composed.origin((*where, "each")), got=items)
    for item in items:
        if not rows.where or (isinstance(item, Mapping) and rows.where.items() <= item.items()):
            yield item


def _read(
    grid: Grid, reading: Reading, point: Point, item: Any, where: tuple[str, ...], records: dict[str, Any]
) -> Any:
    """What a reading finds; MISSING where its cell is not done."""
    if reading.of is None:
        source = item
    else:
        cell = grid.cell(reading.of, point)
        if not cell.done:
            return MISSING
        if cell.name not in records:
            records[cell.name] = _source(cell)
        source = records[cell.name]
    place = grid.plan.composed.origin(where)
    value = _at(source, str(filled(reading.at, lambda name: grid.plan.meaning(name, point))), place)
    return value if reading.error is None else {"value": value, "stderr": _at(source, reading.error, place)}


def _source(cell: Cell) -> Any:
    """What a cell printed; of a training, the lines of its history.csv beside it."""
    result = record_of(cell)["result"]
    history = cell.folder / "history.csv"
    return (
        {**result, "history": list(read_history(history))} if isinstance(result, dict) and history.is_file() else result
    )


def _at(source: Any, path: str, where: str) -> Any:
    value = source
    for key in path.split("."):
        known: list[str]
        if isinstance(value, Mapping):
            known = list(value)
            found = value.get(key, MISSING)
        elif isinstance(value, list) and key.lstrip("-").isdecimal():
            known = [f"0 to {len(value) - 1}"]
            found = value[int(key)] if -len(value) <= int(key) < len(value) else MISSING
        else:
            known, found = [], MISSING
        if found is MISSING:
            raise InputError(
                "the run's result has no such figure",
                where=where,
                got=path,
                expected=f"for {key}, one of {', '.join(known[:12])}" if known else f"nothing below {key}",
                cure=did_you_mean(key, known),
            )
        value = found
    return value
