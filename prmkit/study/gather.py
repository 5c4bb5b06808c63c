"""The result of a study: read from its cells, written to a run folder, with its figure and tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prmkit.report.page import write_page
from prmkit.report.sections.studies import study_section
from prmkit.report.study import study_csv, study_markdown, study_svg
from prmkit.report.study_result import (
    CellCounts,
    FailedCell,
    LineLeap,
    PaperValues,
    StudyFigure,
    StudyResult,
    StudyRow,
)
from prmkit.run.files import write_text, writing
from prmkit.run.folder import RunFolder
from prmkit.run.results import write_result
from prmkit.study.cell_run import CellOutcome, record_of, shown
from prmkit.study.compared import pairs_of, within_limits
from prmkit.study.grid import Grid
from prmkit.study.leap import find_leap
from prmkit.study.result import rows_of


def gather(grid: Grid, scale: str, folder: Path, outcomes: Mapping[str, CellOutcome]) -> StudyResult:
    """Read the result, write it to ``folder`` in place of an earlier one, and return it.

    The folder gets run.yaml (the study as it was run), metrics.json (the result), figure.html, figure.svg (if there is
    a figure), table.md and table.csv.

    Args:
        grid: the study's.
        scale: of the grid.
        folder: the study's run folder.
        outcomes: what became of cells in this call.

    Raises:
        InputError: a figure is not where the study says, or the folder holds something else.
    """
    study = grid.plan.study
    assert study.result is not None
    config, (rows, tables) = study.result, rows_of(grid)
    series = config.series
    records = [record_of(cell) for cell in grid.cells.values() if cell.done]
    leaps = _leaps(rows, config.x, config.y, series) if config.leap and config.x and config.y else []
    result = StudyResult(
        title=study.title,
        study=grid.plan.composed.path.stem,
        scale=scale,
        rows=rows,
        figure=StudyFigure(kind=config.kind, x=config.x, y=config.y, series=series, log=config.log, leaps=leaps),
        tables=tables,
        pairs=list(pairs_of(grid, config.pairs)) if config.pairs is not None else [],
        within=list(within_limits(rows, config.within, series, config.y))
        if config.within is not None and series and config.y
        else [],
        paper=PaperValues(**study.paper.model_dump()),
        notes=study.notes,
        cells=_cells(grid, outcomes),
        seconds=sum(record.get("seconds", 0.0) for record in records),
        cpu_seconds=sum(record.get("cpu_seconds", 0.0) for record in records),
    )
    values = study.model_dump(mode="json") | {"scale": scale}
    run = RunFolder.create(folder, values, seed=0, overwrite=True)
    with writing(folder):
        write_result(run.metrics_file, result)
        write_page(folder / "figure.html", title=result.title, sections=[study_section(result)])
        write_text(folder / "table.md", study_markdown(result))
        write_text(folder / "table.csv", study_csv(result))
        if (drawn := study_svg(result)) is not None:
            write_text(folder / "figure.svg", drawn)
    return result


def _leaps(rows: list[StudyRow], x: str, y: str, series: str | None) -> list[LineLeap]:
    """For each line of the figure its leap, or why there is none."""
    lines: dict[Any, list[StudyRow]] = {}
    for row in rows:
        if row.get(x) is not None and row.get(y) is not None:
            lines.setdefault(row.get(series) if series else "", []).append(row)
    found = []
    for name, line in lines.items():
        line.sort(key=lambda row: row[x])
        if len(line) < 5:
            found.append(LineLeap(series=name, found=False, why="fewer than five points"))
            continue
        leap = find_leap([row[y] for row in line], [row.get(f"{y}_stderr") or 0.0 for row in line])
        start, end = (None if place is None else line[place][x] for place in (leap.start, leap.end))
        found.append(LineLeap(series=name, found=leap.found, start=start, end=end, height=leap.height, why=leap.why))
    return found


def _cells(grid: Grid, outcomes: Mapping[str, CellOutcome]) -> CellCounts:
    places = {
        name: (run, dict(zip(grid.plan.over[run], values, strict=True))) for (run, values), name in grid.places.items()
    }
    failed = [
        FailedCell(
            cell=name,
            run=places[name][0],
            at=places[name][1],
            state=outcome.state,
            reason=outcome.reason,
            command=shown(grid.cells[name]),
        )
        for name, outcome in outcomes.items()
        if not outcome.good
    ]
    done = sum(cell.done for cell in grid.cells.values())
    return CellCounts(done=done, missing=len(grid.cells) - done, failed=failed)
