"""``prmkit study``: a figure or table of the paper, from one recipe."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from prmkit.commands.console import JsonOption, RecipeArgument, SetOption, print_json, print_table
from prmkit.errors import InputError, RunError

if TYPE_CHECKING:
    from prmkit.study.cell_run import CellOutcome
    from prmkit.study.grid import Cell, Grid


def study(
    recipe: RecipeArgument,
    scale: Annotated[
        Literal["synthetic", "small", "paper"],
        typer.Option("--scale", help="The embedded world; one GPU and real benchmarks; the paper's models."),
    ] = "synthetic",
    overrides: SetOption = None,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FOLDER", help="Where all studies keep their runs, so that they share them."),
    ] = Path("runs/studies"),
    launcher: Annotated[
        Literal["local", "ray", "slurm"],
        typer.Option("--launcher", help="This machine; a Ray cluster; slurm only prints the script that submits."),
    ] = "local",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Runs at a time on this machine.")] = 1,
    sbatch: Annotated[
        list[str] | None, typer.Option("--sbatch", metavar="OPTION", help="A further option of sbatch. Repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print every run and what it will take.")] = False,
    machine: Annotated[
        str | None, typer.Option("--machine", metavar="MACHINE", help="With --dry-run: where PRMs are trained, H100.")
    ] = None,
    pilot: Annotated[
        bool, typer.Option("--pilot", help="With --dry-run: try a few problems of each annotation.")
    ] = False,
    only: Annotated[
        str | None, typer.Option("--cell", metavar="NAME", help="Run this one, whose inputs are there, and no more.")
    ] = None,
    collect: Annotated[bool, typer.Option("--collect", help="Run nothing; read the result of what is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run what a study still needs, and write its figure and table; a run is never done twice."""
    from prmkit.commands.runs import composed_recipe
    from prmkit.study.axes import plan_of
    from prmkit.study.grid import grid_of
    from prmkit.study.scale import at_scale

    grid = grid_of(plan_of(*at_scale(composed_recipe(recipe, None), scale, overrides or [])), out)
    if dry_run:
        _print_plan(grid, machine, pilot=pilot, as_json=as_json)
    elif only is not None:
        _run_one(grid, only, as_json=as_json)
    elif launcher == "slurm":
        _print_script(grid, recipe, scale, overrides or [], out, sbatch or [])
    else:
        outcomes = {} if collect else _run_all(grid, launcher, jobs)
        _finish(grid, scale, out, outcomes, as_json=as_json)


def _run_all(grid: "Grid", launcher: str, jobs: int) -> "dict[str, CellOutcome]":
    from prmkit.study.local import run_here
    from prmkit.study.ray import run_on_ray

    count = 0

    def tell(cell: "Cell", outcome: "CellOutcome | None") -> None:
        nonlocal count
        if outcome is None:
            typer.echo(f"{cell.name}: begins", err=True)
            return
        count += 1
        line = f"[{count} of {len(grid.cells)}] {cell.name}: {outcome.state}"
        line += f", {outcome.seconds:.0f} s" if outcome.seconds else ""
        typer.echo(f"{line}, {outcome.reason}" if outcome.reason else line, err=True)

    try:
        return run_here(grid.cells, jobs, tell) if launcher == "local" else run_on_ray(grid.cells, tell)
    except KeyboardInterrupt:
        typer.echo(f"interrupted; go on with: {shlex.join(['prmkit', *sys.argv[1:]])}", err=True)
        raise typer.Exit(130) from None


def _run_one(grid: "Grid", name: str, *, as_json: bool) -> None:
    from prmkit.study.cell_run import record_of, run_cell

    if name not in grid.cells:
        raise InputError("the study has no such run", where="--cell", got=name, expected="a name that --dry-run shows")
    cell = grid.cells[name]
    missing = [other for other in cell.after if not grid.cells[other].done]
    if missing:
        raise InputError("what the run needs is not done", where="--cell", got=name, cure=f"Run first: {missing[0]}.")
    outcome = run_cell(cell)
    if not outcome.good:
        raise RunError(f"{name}: {outcome.reason}. Its log: {cell.log}")
    if cell.done:
        record = record_of(cell)
        print_json(record) if as_json else typer.echo(f"{name}: {record['seconds']:.0f} s")


def _print_script(grid: "Grid", recipe: str, scale: str, overrides: list[str], out: Path, options: list[str]) -> None:
    from prmkit.study.slurm import sbatch_script

    words = ["prmkit", "study", recipe, "--scale", scale, "--out", str(out)]
    for each in overrides:
        words += ["--set", each]
    typer.echo(sbatch_script(grid.cells, words, options), nl=False)


def _print_plan(grid: "Grid", machine: str | None, *, pilot: bool, as_json: bool) -> None:
    from prmkit.study.cost import expected_seconds, planned_cost
    from prmkit.train.machines import machine_of

    trained_on = machine_of(machine) if machine is not None else None
    seconds = expected_seconds(grid.cells)
    places: dict[str, str] = {}
    for (run, values), name in grid.places.items():
        places.setdefault(name, " ".join([run, *map(str, values)]))
    rows = [
        (
            places[name],
            name,
            cell.words[0],
            "done" if cell.done else "to run",
            planned_cost(cell, trained_on, pilot=pilot and not cell.done),
            None if seconds[name] is None else round(seconds[name] or 0.0, 1),
        )
        for name, cell in grid.cells.items()
    ]
    left = [seconds[name] for name, cell in grid.cells.items() if not cell.done]
    known = [each for each in left if each is not None]
    total = {"cells": len(rows), "to_run": len(left), "seconds_left": sum(known), "unknown": len(left) - len(known)}
    columns = ("run", "cell", "verb", "state", "cost", "seconds")
    if as_json:
        commands = {name: ["prmkit", *cell.words] for name, cell in grid.cells.items()}
        cells = [dict(zip(columns, row, strict=True)) | {"command": commands[row[1]]} for row in rows]
        print_json({"cells": cells, "total": total})
        return
    print_table(columns, [(*row[:5], "unknown" if row[5] is None else row[5]) for row in rows], as_json=False)
    unknown = f", and {total['unknown']} runs of a kind that was never run here" if total["unknown"] else ""
    typer.echo(f"\n{len(left)} of {len(rows)} to run: {total['seconds_left']:.0f} s one after the other{unknown}")


def _finish(grid: "Grid", scale: str, out: Path, outcomes: "dict[str, CellOutcome]", *, as_json: bool) -> None:
    """Write and print the result; exit with 1 if a cell failed."""
    from prmkit.report.study import table_of
    from prmkit.study.gather import gather

    folder = out / f"{grid.plan.composed.path.stem}-{scale}"
    result = gather(grid, scale, folder, outcomes)
    if as_json:
        print_json({"run": str(folder), **result.as_json()})
    else:
        print_table(*table_of(result.rows), as_json=False)
        typer.echo(f"\n{folder}/figure.html, table.md, table.csv: {result.cells.done} runs, {result.seconds:.0f} s")
    for each in result.cells.failed:
        typer.echo(f"{each.cell}: {each.state}, {each.reason}\n  {each.command}", err=True)
    if result.cells.failed:
        raise typer.Exit(1)
