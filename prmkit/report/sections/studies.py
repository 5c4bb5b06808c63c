"""Studies: the figure and the tables of each, beside what the paper says."""

from collections.abc import Iterator, Sequence

from prmkit.report.blocks import Axis, Block, Figure, Heading, Prose, Section, Series, Table
from prmkit.report.read import Run
from prmkit.report.study import further, lines_of, sentences, table_of
from prmkit.report.study_result import StudyResult, StudyRow


def studies(runs: Sequence[Run]) -> Section:
    """Of each study."""
    return Section(
        "Studies", [block for run in runs if isinstance(run.result, StudyResult) for block in _of(run.result)]
    )


def study_section(result: StudyResult) -> Section:
    """One study, on a page of its own."""
    return Section("Study", list(_of(result)))


def _of(result: StudyResult) -> Iterator[Block]:
    yield Heading(f"{result.title} ({result.scale})")
    if lines := lines_of(result):
        shape = result.figure
        yield Figure(
            title=result.title,
            caption="Bars are standard errors.",
            x=Axis(title=shape.x or "", log=bool(shape.log)),
            y=Axis(title=shape.y or ""),
            series=[
                Series(
                    name=line.name or shape.y or "",
                    x=line.x,
                    y=line.y,
                    stderr=line.errors,
                    kind="bars" if shape.kind == "bar" else "line",
                )
                for line in lines
            ],
            bands=[(leap.start, leap.end) for leap in shape.leaps if leap.start is not None and leap.end is not None],
        )
    if said := list(sentences(result)):
        yield Prose(said, warning=bool(result.cells.missing))
    if result.rows:
        yield _table(result.rows)
    for name, rows in further(result):
        yield _table(rows, name)
    if result.paper.claim:
        yield Prose([f"The paper: {result.paper.claim}"])
    if result.notes:
        yield Prose(result.notes)


def _table(rows: Sequence[StudyRow], title: str = "") -> Table:
    columns, cells = table_of(rows)
    texts = [isinstance(rows[0].get(column), str) for column in columns]
    return Table(title=title, columns=columns, rows=cells, texts=texts.index(False) if False in texts else len(texts))
