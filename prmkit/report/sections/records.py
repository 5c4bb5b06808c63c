"""Records of results as a table, whatever their keys are."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from prmkit.report.blocks import Table, TableCell
from prmkit.report.estimates import with_error
from prmkit.run.results import Figures
from prmkit.stats import Estimate


def record_of(figures: Figures) -> dict[str, Any]:
    """The values of a result, or of a part of one, by their names in JSON."""
    return {type(figures).model_fields[name].alias or name: value for name, value in figures}


def records_table(found: Sequence[Mapping[str, Any] | Figures], title: str) -> Table:
    """A row a record, a column a key; estimates with their errors."""
    records = [record_of(each) if isinstance(each, Figures) else each for each in found]
    columns = list(dict.fromkeys(key for record in records for key in record))
    # Text first, so that what names a row stands at its head.
    columns.sort(key=lambda key: not isinstance(records[0].get(key), str))
    texts = sum(isinstance(records[0].get(key), str) for key in columns)
    rows = [[cell(record.get(key)) for key in columns] for record in records]
    return Table(title=title, columns=[key.replace("_", " ") for key in columns], rows=rows, texts=max(1, texts))


def cell(value: Any) -> TableCell:
    """A value of a result as a cell."""
    if isinstance(value, Estimate):
        return with_error(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return None if math.isnan(value) else f"{value:.4g}"
    if value is None or isinstance(value, str | int):
        return value
    return str(value)
