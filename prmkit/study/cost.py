"""What a cell will take, as far as that can be known before."""

from collections.abc import Mapping
from statistics import median

from prmkit.recipe.stage import Resources
from prmkit.recipe.stages import stage_of
from prmkit.study.cell_run import record_of
from prmkit.study.grid import Cell
from prmkit.train.machines import Machine


def expected_seconds(cells: Mapping[str, Cell]) -> dict[str, float | None]:
    """The seconds that each cell took, or of one that is to be run, the median of those of its kind that lie beside it;
    None where there is none.
    """
    known: dict[str, list[float]] = {}
    for folder in {cell.folder.parent for cell in cells.values()}:
        for record in folder.glob("*.json"):
            other = Cell(name=record.stem, words=(), folder=folder / record.stem, after=(), recipe=None)
            known.setdefault(other.kind, []).append(record_of(other)["seconds"])
    return {
        name: record_of(cell)["seconds"] if cell.done else median(known[cell.kind]) if cell.kind in known else None
        for name, cell in cells.items()
    }


def planned_cost(cell: Cell, machine: Machine | None, *, pilot: bool) -> str:
    """What the recipe of a cell asks for, in words.

    Args:
        cell: whose cost is asked.
        machine: on which a training is planned, as ``prmkit train --plan`` does, with as many GPUs as the study asks
            for where it does; None leaves that out.
        pilot: whether an annotation whose model is there may try a few problems, as its ``--dry-run`` does.
    """
    if cell.recipe is None:
        return "reads files"
    asked = cell.gpus * cell.nodes
    own = Machine(asked, machine.kind) if machine is not None and asked else machine
    return stage_of(cell.recipe).cost(cell.recipe, Resources(machine=own, pilot=pilot))
