"""Records of results as a table, whatever their keys are."""

from collections.abc import Mapping, Sequence
from typing import Any

from prmkit.report.blocks import Cell, Table
from prmkit.report.estimates import with_error
from prmkit.stats import Estimate


def records_table(records: Sequence[Mapping[str, Any]], title: str) -> Table:
    """A row a record, a column a key; estimates with their errors."""
    columns = list(dict.fromkeys(key for record in records for key in record))
    # Text first, so that what names a row stands at its head.
    columns.sort(key=lambda key: not isinstance(records[0].get(key), str))
    texts = sum(isinstance(records[0].get(key), str) for key in columns)
    rows = [[cell(record.get(key)) for key in columns] for record in records]
    return Table(title=title, columns=[key.replace("_", " ") for key in columns], rows=rows, texts=max(1, texts))


def cell(value: Any) -> Cell:
    """A value of a result as a cell."""
    if isinstance(value, Estimate):
        return with_error(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if value is None or isinstance(value, str | int):
        return value
    return str(value)
