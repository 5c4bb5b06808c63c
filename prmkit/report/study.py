"""The result of a study as a figure and tables: Markdown, CSV, and SVG for documents. For pages see
sections/studies.py.

Whatever text a result holds is escaped here.
"""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from prmkit.report.markdown import markdown_table, plain
from prmkit.report.study_result import StudyResult, StudyRow

# Okabe and Ito's colours, which people with any colour vision tell apart; further lines are dashed.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#999999", "#8c564b")
_DASH = "\u2013"
_TICKS = 8
"""A logarithmic axis has a tick for each x, if there are no more."""

_PARTS = ("_stderr", "_n", "_runs", "_runs_stderr")


class Line(NamedTuple):
    """A line or colour of the figure: its points, sorted by x where x is a number."""

    name: str
    x: list[Any]
    y: list[float]
    errors: list[float]


def study_markdown(result: StudyResult) -> str:
    """The study as Markdown, without its figure."""
    parts = [f"### {plain(result.title)} ({result.scale})", _table(result.rows)]
    parts += [plain(sentence) for sentence in sentences(result)]
    for name, rows in further(result):
        parts += [f"**{plain(name)}**", _table(rows)]
    if result.paper.claim:
        parts.append(f"**The paper:** {plain(result.paper.claim)}")
    if result.notes:
        parts.append("\n".join(f"* {plain(note)}" for note in result.notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def study_csv(result: StudyResult) -> str:
    """The rows with every column, errors included."""
    rows = result.rows
    out = io.StringIO()
    writer = csv.DictWriter(
        out, list(dict.fromkeys(key for row in rows for key in row)), restval="", lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def study_svg(result: StudyResult) -> str | None:
    """The figure for documents; None where the study draws none."""
    lines = lines_of(result)
    if not lines:
        return None
    import matplotlib
    from matplotlib.figure import Figure

    shape = result.figure
    with matplotlib.rc_context({"svg.hashsalt": "prmkit", "svg.fonttype": "none", "text.parse_math": False}):
        drawing = Figure(figsize=(7, 3.6), layout="constrained")
        axes = drawing.subplots()
        groups = list(dict.fromkeys(x for line in lines for x in line.x))
        for number, line in enumerate(lines):
            style: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "label": line.name or None}
            if shape.kind == "bar":
                width = 0.8 / len(lines)
                places = [groups.index(x) + (number - (len(lines) - 1) / 2) * width for x in line.x]
                axes.bar(places, line.y, width, yerr=line.errors, **style)
            else:
                dashed = "--" if number >= len(COLOURS) else "-"
                axes.errorbar(line.x, line.y, yerr=line.errors, marker="o", capsize=2, linestyle=dashed, **style)
        if shape.kind == "bar":
            axes.set_xticks(range(len(groups)), [str(group) for group in groups])
        for leap in shape.leaps:
            if leap.start is not None and leap.end is not None:
                axes.axvspan(leap.start, leap.end, color="#808080", alpha=0.2, lw=0)
        if shape.log:
            axes.set_xscale("log")
            places = sorted({x for line in lines for x in line.x})
            if len(places) <= _TICKS:
                axes.set_xticks(places)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")  # powers of ten would be mathtext
            axes.xaxis.set_minor_formatter(lambda value, _: "")
        axes.set_xlabel(shape.x or "")
        axes.set_ylabel(shape.y or "")
        axes.grid(alpha=0.3)
        if shape.series:
            axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
        out = io.StringIO()
        drawing.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def lines_of(result: StudyResult) -> list[Line]:
    """The lines of the figure, points without a value left out."""
    shape = result.figure
    x, y, series = shape.x, shape.y, shape.series
    if shape.kind == "table" or x is None or y is None:
        return []
    lines: dict[str, Line] = {}
    rows = [row for row in result.rows if row.get(x) is not None and row.get(y) is not None]
    if shape.kind == "line" and all(isinstance(row[x], int | float) for row in rows):
        rows.sort(key=lambda row: row[x])
    for row in rows:
        line = lines.setdefault(
            str(row[series]) if series else "", Line(str(row[series]) if series else "", [], [], [])
        )
        line.x.append(row[x])
        line.y.append(row[y])
        line.errors.append(row.get(f"{y}_stderr") or row.get(f"{y}_runs_stderr") or 0.0)
    return list(lines.values())


def table_of(rows: Sequence[StudyRow]) -> tuple[list[str], list[list[str]]]:
    """Columns and cells as people read them: a figure with its error, and how many runs it is the mean of."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    columns = [key for key in keys if not any(key == f"{other}{part}" for other in keys for part in _PARTS)]
    return columns, [[_cell(row, column) for column in columns] for row in rows]


def _cell(row: StudyRow, column: str) -> str:
    value = row.get(column)
    if value is None:
        return _DASH
    if not isinstance(value, int | float):
        return str(value)
    over_runs = row.get(f"{column}_runs_stderr") or None  # runs that read the same thing agree to the last digit
    errors = [error for error in (row.get(f"{column}_stderr"), over_runs) if error is not None]
    digits = _digits(value, errors)
    text = " ".join([f"{value:{digits}}" if errors else _number(value), *(f"± {error:{digits}}" for error in errors)])
    return text if over_runs is None else f"{text} ({row[f'{column}_runs']} runs)"


def _digits(value: float, errors: Sequence[float]) -> str:
    """A format that shows two digits of the first error, and at least one place behind the point."""
    if abs(value) >= 1e7:
        return ".2e"
    places = 1 - math.floor(math.log10(errors[0])) if errors and errors[0] > 0 else 1
    return f".{min(4, max(1, places))}f"


def _number(value: float) -> str:
    if isinstance(value, int) and abs(value) < 10**9:
        return f"{value:,}"
    if value and (abs(value) < 0.001 or abs(value) >= 1e7):
        return f"{value:.2e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def further(result: StudyResult) -> Iterator[tuple[str, Sequence[StudyRow]]]:
    """The tables beside the rows, by name."""
    named = (
        *result.tables.items(),
        ("At equal cost", result.within),
        ("Differences, paired over problems", result.pairs),
        ("The paper's values", result.paper.rows),
    )
    yield from ((name, rows) for name, rows in named if rows)


def sentences(result: StudyResult) -> Iterator[str]:
    """What is to be said of the result: leaps, and what is missing."""
    x = result.figure.x
    for leap in result.figure.leaps:
        name = f"{leap.series}: " if leap.series else ""
        if leap.start is not None and leap.end is not None:
            where = f"between {x} {_number(leap.start)} and {_number(leap.end)}"
            yield f"{name}a leap of {_number(leap.height or 0.0)} {where}."
        else:
            yield f"{name}no leap: {leap.why}."
    if missing := result.cells.missing:
        yield f"{missing} runs are missing; figures that need them are {_DASH}, or rest on the others."


def _table(rows: Sequence[StudyRow]) -> str:
    return markdown_table(*table_of(rows)) if rows else ""
