"""Cells on this machine: as many processes at a time as asked for, each as soon as what it waits for is done."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from prmkit.study.cell_run import CellOutcome, Processes, run_cell
from prmkit.study.grid import Cell

Tell = Callable[[Cell, CellOutcome | None], None]
"""Told of each cell when it begins (None) and what became of it."""


def run_here(cells: Mapping[str, Cell], jobs: int, tell: Tell) -> dict[str, CellOutcome]:
    """Run what is not done; what waits for a failed cell is skipped, and the rest goes on.

    Args:
        cells: by name, in an order in which they can be run.
        jobs: processes at a time; the cores are shared out among them.
        tell: told how it goes, in this thread.

    Raises:
        KeyboardInterrupt: the running commands were interrupted, and have ended.
    """
    sorter = TopologicalSorter({name: cell.after for name, cell in cells.items()})
    sorter.prepare()
    outcomes: dict[str, CellOutcome] = {}
    processes, running = Processes(), dict[Future[CellOutcome], Cell]()
    threads = max(1, (os.cpu_count() or 1) // jobs)
    ready: list[str] = []

    def end(cell: Cell, outcome: CellOutcome) -> None:
        outcomes[cell.name] = outcome
        tell(cell, outcome)
        sorter.done(cell.name)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            while sorter.is_active():
                ready += sorter.get_ready()
                while ready and len(running) < jobs:
                    cell = cells[ready.pop(0)]
                    if lacking := [name for name in cell.after if not outcomes[name].good]:
                        end(cell, CellOutcome(cell=cell.name, state="skipped", reason=f"it needs {lacking[0]}"))
                    else:
                        if not cell.done:
                            tell(cell, None)
                        running[pool.submit(run_cell, cell, processes, threads=threads)] = cell
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    end(running.pop(future), future.result())
        except KeyboardInterrupt:
            processes.interrupt()
            raise
    return outcomes
