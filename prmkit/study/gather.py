"""The result of a study: read from its cells, written to a run folder, with its figure and tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prmkit.report.page import write_page
from prmkit.report.sections.studies import study_section
from prmkit.report.study import study_csv, study_markdown, study_svg
from prmkit.run.files import writing
from prmkit.run.folder import RunFolder
from prmkit.study.cell_run import Outcome, record_of, shown
from prmkit.study.compared import pairs_of, within_limits
from prmkit.study.grid import Grid
from prmkit.study.leap import find_leap
from prmkit.study.result import ResultRow, rows_of


def gather(grid: Grid, scale: str, folder: Path, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """Read the result, write it to ``folder`` in place of an earlier one, and return it.

    The folder gets run.yaml (the study as it was run), metrics.json (the result), figure.html, figure.svg (if there is
    a figure), table.md and table.csv. The result: ``title``, ``scale``, ``rows`` (see result.Row), ``figure`` {kind, x,
    y, series, log, leaps}, ``tables``, ``pairs`` and ``within`` (further tables), ``paper`` {claim, rows}, ``notes``,
    ``cells`` {done, missing, failed: [{cell, run, at, state, reason, command}]}, and ``seconds`` and
    ``cpu_seconds`` of all its cells.

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
    result: dict[str, Any] = {
        "title": study.title,
        "study": grid.plan.composed.path.stem,
        "scale": scale,
        "rows": rows,
        "figure": {
            **config.model_dump(include={"kind", "x", "y", "series", "log"}),
            "leaps": _leaps(rows, config.x, config.y, series) if config.leap and config.x and config.y else [],
        },
        "tables": tables,
        "pairs": list(pairs_of(grid, config.pairs)) if config.pairs is not None else [],
        "within": list(within_limits(rows, config.within, series, config.y))
        if config.within is not None and series and config.y
        else [],
        "paper": study.paper.model_dump(),
        "notes": study.notes,
        "cells": _cells(grid, outcomes),
        **{kind: sum(record.get(kind, 0.0) for record in records) for kind in ("seconds", "cpu_seconds")},
    }
    values = study.model_dump(mode="json") | {"scale": scale}
    run = RunFolder.create(folder, values, seed=0, overwrite=True)
    with writing(folder):
        run.metrics(result)
        write_page(folder / "figure.html", title=result["title"], sections=[study_section(result)])
        (folder / "table.md").write_text(study_markdown(result), encoding="utf-8")
        (folder / "table.csv").write_text(study_csv(result), encoding="utf-8")
        if (drawn := study_svg(result)) is not None:
            (folder / "figure.svg").write_text(drawn, encoding="utf-8")
    return result


def _leaps(rows: list[ResultRow], x: str, y: str, series: str | None) -> list[dict[str, Any]]:
    """For each line of the figure its leap, or why there is none."""
    lines: dict[Any, list[ResultRow]] = {}
    for row in rows:
        if row.get(x) is not None and row.get(y) is not None:
            lines.setdefault(row.get(series) if series else "", []).append(row)
    found = []
    for name, line in lines.items():
        line.sort(key=lambda row: row[x])
        if len(line) < 5:
            found.append({"series": name, "found": False, "why": "fewer than five points"})
            continue
        leap = find_leap([row[y] for row in line], [row.get(f"{y}_stderr") or 0.0 for row in line])
        place = {"from": line[leap.start][x], "to": line[leap.end][x]} if leap.start is not None else {}  # type: ignore[index]
        found.append({"series": name, "found": leap.found, **place, "height": leap.height, "why": leap.why})
    return found


def _cells(grid: Grid, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    places = {
        name: (run, dict(zip(grid.plan.over[run], values, strict=True))) for (run, values), name in grid.places.items()
    }
    bad = []
    for name, outcome in outcomes.items():
        if not outcome.good:
            run, at = places[name]
            bad.append(
                {
                    "cell": name,
                    "run": run,
                    "at": at,
                    "state": outcome.state,
                    "reason": outcome.reason,
                    "command": shown(grid.cells[name]),
                }
            )
    done = [name for name, cell in grid.cells.items() if cell.done]
    return {"done": len(done), "missing": len(grid.cells) - len(done), "failed": bad}
