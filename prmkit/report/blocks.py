"""What a report is made of: sections of prose, tables and figures, before anything is drawn.

A section says what there is to see; ``html`` and ``summary`` say how it looks. All text in a block is plain text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

TableCell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line, or set of points or bars, of a figure.

    Attributes:
        name: in the legend.
        x: places, numbers or names.
        y: heights; None leaves a gap.
        stderr: standard errors of the heights; None where unknown.
        low: lower ends of intervals, where they are given instead of standard errors.
        high: their upper ends.
        kind: how it is drawn.
        reference: a line to compare with, drawn thin and dashed.
    """

    name: str
    x: Sequence[float | str]
    y: Sequence[float | None]
    stderr: Sequence[float | None] | None = None
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    kind: Literal["line", "points", "bars"] = "line"
    reference: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The series as JSON has it, without what it has not."""
        known = {name: getattr(self, name) for name in ("name", "x", "y", "stderr", "low", "high", "kind", "reference")}
        return {name: value for name, value in known.items() if value is not None and value is not False}


def histogram(name: str, values: Iterable[float], bins: int) -> Series:
    """How many values of [0, 1] lie in each of equal bins, as bars over their middles; the last bin holds 1."""
    counts = [0.0] * bins
    for value in values:
        counts[min(int(value * bins), bins - 1)] += 1
    return Series(name=name, x=[(index + 0.5) / bins for index in range(bins)], y=counts, kind="bars")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis: its title, whether it is logarithmic, and its ends where they are fixed."""

    title: str
    log: bool = False
    range: tuple[float, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The axis as JSON has it."""
        return {"title": self.title, "log": self.log, "range": self.range}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure: series over an x axis; or a matrix of values, rows by columns, drawn as colours.

    Attributes:
        title: what it shows; also the name of its exported files.
        caption: how to read it.
        x: horizontal axis (vertical where ``horizontal``).
        y: the other one.
        series: what is drawn.
        bands: stretches of the x axis to be marked.
        horizontal: the series lie on their side, as intervals of named rows do best.
        rows: names of the rows of a matrix.
        columns: names of its columns.
        matrix: its values, a row a name; None where there is none.
    """

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series] = ()
    caption: str = ""
    bands: Sequence[tuple[float, float]] = ()
    horizontal: bool = False
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    matrix: Sequence[Sequence[float | None]] = ()

    def as_dict(self) -> dict[str, Any]:
        """The figure as JSON has it."""
        return {
            "title": self.title,
            "x": self.x.as_dict(),
            "y": self.y.as_dict(),
            "series": [one.as_dict() for one in self.series],
            "bands": self.bands,
            "horizontal": self.horizontal,
            "rows": self.rows,
            "columns": self.columns,
            "matrix": self.matrix,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under their columns; None is a dash. The first ``texts`` columns are text, the others are figures."""

    columns: Sequence[str]
    rows: Sequence[Sequence[TableCell]]
    title: str = ""
    texts: int = 1


@dataclass(frozen=True, slots=True)
class Prose:
    """Sentences: a list of points, or a warning that a reader must not miss."""

    lines: Sequence[str]
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Text to be copied, such as commands or a recipe; with a ``title`` it is folded away under it."""

    text: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A headline number: its name, the number with its error, and a note below."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cards:
    """Headline numbers, side by side."""

    cards: Sequence[Card]


Block = Prose | Table | Figure | Heading | Code | Cards


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. A section without blocks is left out."""

    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)
