"""What a study found, as its folder keeps it and a report draws it."""

from typing import Any, Literal

from pydantic import Field

from prmkit.run.results import Figures, Result

StudyRow = dict[str, Any]
"""A value by column. Of a figure NAME also NAME_stderr and NAME_n, where it has them; where it is the mean of several
runs, NAME_runs, how many, and NAME_runs_stderr, the standard error over them. Columns are in the units of the study."""


class LineLeap(Figures):
    """The leap of a line of the figure, from one x to another, or why it has none."""

    series: Any
    found: bool
    start: float | None = Field(None, alias="from")
    end: float | None = Field(None, alias="to")
    height: float | None = None
    why: str


class StudyFigure(Figures):
    """How the rows are drawn: their columns, and the leaps that were looked for."""

    kind: Literal["line", "bar", "table"]
    x: str | None
    y: str | None
    series: str | None
    log: bool = False
    leaps: list[LineLeap] = Field([])


class PaperValues(Figures):
    """What the paper says, and the values that it prints."""

    claim: str = ""
    rows: list[StudyRow] = Field([])


class FailedCell(Figures):
    """A run that failed or was skipped: where it stands in the study, why, and the command that repeats it."""

    cell: str
    run: str
    at: dict[str, Any]
    state: str
    reason: str
    command: str


class CellCounts(Figures):
    """How many runs are done, how many are missing, and those that failed in the last call."""

    done: int
    missing: int
    failed: list[FailedCell] = Field([])


class StudyResult(Result):
    """The result of a study.

    Attributes:
        title: what it shows.
        study: the name of its recipe.
        scale: at which it was run.
        rows: what was found.
        figure: how the rows are drawn.
        tables: further rows, by title.
        pairs: differences that are paired over problems, in points.
        within: what fits into a limit.
        paper: what it is held against.
        notes: what a reader should know, a sentence each.
        cells: the runs.
        seconds: of all its runs.
        cpu_seconds: of these.
    """

    kind = "study"

    title: str
    study: str
    scale: str
    rows: list[StudyRow]
    figure: StudyFigure
    tables: dict[str, list[StudyRow]] = Field({})
    pairs: list[StudyRow] = Field([])
    within: list[StudyRow] = Field([])
    paper: PaperValues = PaperValues()
    notes: list[str] = Field([])
    cells: CellCounts
    seconds: float
    cpu_seconds: float
