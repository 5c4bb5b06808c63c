"""Results that no other section knows, by the names of their figures: so a new stage is shown from the first day."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prmkit.report.blocks import Block, Heading, Section, Table, TableCell
from prmkit.report.read import Run, with_members
from prmkit.report.sections.records import cell, record_of, records_table
from prmkit.run.results import Figures, Result
from prmkit.stats import Estimate

_MOST_ROWS = 200


def others(runs: Sequence[Run], known: tuple[type[Result], ...]) -> Section:
    """Of each run and evaluation whose result is of no ``known`` type: its figures, and its lists of flat records."""
    results = [(name, result) for run in with_members(runs) for name, result in _results(run)]
    unknown = [(name, result) for name, result in results if not isinstance(result, known)]
    return Section("Other runs", [block for name, result in unknown for block in (Heading(name), *_of(result))])


def _results(run: Run) -> Iterator[tuple[str, Result]]:
    named = ((run.name, run.result), *((f"{run.name}/{each.name}", each.result) for each in run.evaluations))
    yield from ((name, result) for name, result in named if result is not None)


def _of(result: Result) -> Iterator[Block]:
    if rows := list(_figures(record_of(result))):
        yield Table(columns=("figure", "value"), rows=rows)
    for name, records in _tables(record_of(result)):
        shown = f"{name} (the first {_MOST_ROWS} of {len(records):,})" if len(records) > _MOST_ROWS else name
        yield records_table(records[:_MOST_ROWS], shown)


def _figures(record: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, TableCell]]:
    """Numbers and words, those of parts under the names of these."""
    for key, value in record.items():
        name = f"{within}{key.replace('_', ' ')}"
        if isinstance(value, Figures):
            yield from _figures(record_of(value), f"{name}: ")
        elif _is_flat(value) and value is not None:
            yield name, cell(value)


def _tables(record: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Lists of flat records, and flat records by name, with the name in front."""
    for key, value in record.items():
        name = f"{within}{key.replace('_', ' ')}"
        if isinstance(value, Figures):
            yield from _tables(record_of(value), f"{name}: ")
            continue
        rows = value if isinstance(value, list) else []
        if isinstance(value, Mapping):
            rows = [{key: str(each), **_record(part)} for each, part in value.items()]
        records = [_record(row) for row in rows]
        if records and all(each and all(map(_is_flat, each.values())) for each in records):
            yield name, records


def _record(value: Any) -> Mapping[str, Any]:
    """A part of a result as a record; a mere number or word stands under ``value``, and what is no record is empty."""
    if isinstance(value, Figures):
        return record_of(value)
    if isinstance(value, Mapping):
        return value
    return {"value": value} if _is_flat(value) else {}


def _is_flat(value: Any) -> bool:
    return value is None or isinstance(value, Estimate | str | int | float)
