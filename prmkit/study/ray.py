"""Cells on a Ray cluster: a task each, which begins when those of the cells before it have ended."""

from collections.abc import Mapping
from typing import Any

from prmkit.cluster import connect
from prmkit.study.cell_run import CellOutcome, run_cell
from prmkit.study.grid import Cell
from prmkit.study.local import Tell


def run_on_ray(cells: Mapping[str, Cell], tell: Tell) -> dict[str, CellOutcome]:
    """Run what is not done. The machines of the cluster share the folder of the cells.

    Args:
        cells: by name, in an order in which they can be run; a cell takes a CPU, and the GPUs that it asks for.
        tell: told how it goes.

    Raises:
        InputError: Ray is not installed.
    """
    ray = connect()
    task = ray.remote(after_others)
    pending: dict[Any, Cell] = {}
    by_name: dict[str, Any] = {}
    for name, cell in cells.items():
        by_name[name] = task.options(num_gpus=cell.gpus).remote(cell, *(by_name[other] for other in cell.after))
        pending[by_name[name]] = cell
    outcomes: dict[str, CellOutcome] = {}
    while pending:
        (ended,), _ = ray.wait(list(pending), num_returns=1)
        cell = pending.pop(ended)
        outcomes[cell.name] = ray.get(ended)
        tell(cell, outcomes[cell.name])
    return outcomes


def after_others(cell: Cell, *others: CellOutcome) -> CellOutcome:
    """Run the cell, unless one of those that it waited for failed."""
    lacking = [other.cell for other in others if not other.good]
    return CellOutcome(cell=cell.name, state="skipped", reason=f"it needs {lacking[0]}") if lacking else run_cell(cell)
