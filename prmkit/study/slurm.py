"""Cells on a SLURM cluster: a script that submits a job each, which begins when those before it have ended well."""

import shlex
from collections.abc import Mapping, Sequence

from prmkit.study.grid import Cell


def sbatch_script(cells: Mapping[str, Cell], study: Sequence[str], options: Sequence[str]) -> str:
    """The script; nothing is submitted here.

    A job runs one cell of the study. Cells that are done have none. The last job gathers the result, whatever failed.

    Args:
        cells: by name, in an order in which they can be run.
        study: the words of the command that runs the study.
        options: further options of every sbatch.
    """
    variables: dict[str, str] = {}
    lines = ["#!/bin/sh", "set -e"]
    for cell in cells.values():
        if cell.done:
            continue
        variables[cell.name] = f"job{len(variables) + 1}"
        before = [f"${variables[name]}" for name in cell.after if name in variables]
        words = [*study, "--cell", cell.name]
        if cell.nodes > 1:
            words = ["srun", *words]
        lines.append(
            f"{variables[cell.name]}=$({_sbatch(cell.name, words, 'afterok', before, [*_machines(cell), *options])})"
        )
    gather = _sbatch(
        "gather", [*study, "--collect"], "afterany", [f"${each}" for each in variables.values()], list(options)
    )
    return "\n".join([*lines, gather]) + "\n"


def _machines(cell: Cell) -> list[str]:
    tasks = [f"--nodes={cell.nodes}", f"--ntasks-per-node={max(1, cell.gpus)}"] if cell.nodes > 1 else []
    return [*tasks, *([f"--gpus-per-node={cell.gpus}"] if cell.gpus else [])]


def _sbatch(name: str, words: Sequence[str], how: str, before: Sequence[str], options: Sequence[str]) -> str:
    # The names of jobs are variables of the script, so they must not be quoted; everything else is.
    dependency = [f"--dependency={how}:{':'.join(before)}"] if before else []
    fixed = shlex.join([f"--job-name={name}", *options])
    return " ".join(["sbatch", "--parsable", *dependency, fixed, f"--wrap={shlex.quote(shlex.join(words))}"])
