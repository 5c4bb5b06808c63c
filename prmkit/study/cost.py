"""What a cell will take, as far as that can be known before."""

from collections.abc import Mapping
from statistics import median

from pydantic import BaseModel

from prmkit.errors import PrmkitError
from prmkit.recipe.schema import AnnotateRecipe, SearchRecipe, SimilarityRecipe, TrainRecipe, WorldRecipe
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
    recipe: BaseModel | None = cell.recipe
    if isinstance(recipe, SearchRecipe):
        return _search(recipe)
    if isinstance(recipe, TrainRecipe):
        asked = cell.gpus * cell.nodes
        return _train(recipe, Machine(asked, machine.kind) if machine is not None and asked else machine)
    if isinstance(recipe, AnnotateRecipe):
        return _annotate(recipe, pilot=pilot)
    if isinstance(recipe, WorldRecipe):
        own = recipe.policy
        return (
            "copies the shipped models" if own is None else f"{own.policy_steps + own.backbone_steps:,} optimiser steps"
        )
    if isinstance(recipe, SimilarityRecipe):
        return f"a forward and backward pass for each response of {len(recipe.sets)} sets"
    return "reads files"


def _search(recipe: SearchRecipe) -> str:
    problems = f"{recipe.problems.limit:,} problems" if recipe.problems.limit is not None else "all problems"
    strategies = [each for each in (recipe.strategy, *recipe.compare.values()) if each is not None]
    limits = ", ".join(f"{value:,} {kind}" for kind, value in recipe.budget.limits().items())
    if not limits:
        sizes = [str(each.options.get("n", "?")) for each in strategies]
        limits = f"{' + '.join(sizes)} solutions"
    many = f", {len(strategies)} strategies" if len(strategies) > 1 else ""
    return f"{problems} x {limits}{many}"


def _train(recipe: TrainRecipe, machine: Machine | None) -> str:
    epochs = f"{recipe.train.epochs} epochs" if recipe.train.epochs > 1 else "1 epoch"
    if machine is None:
        return f"{epochs}; --machine H100 tells memory and time of a step"
    from prmkit.train.estimate import estimate

    try:
        plan = estimate(recipe.model, recipe.train, machine, mfu=0.45, tokens=None)
    except PrmkitError as error:
        return f"{epochs}; unknown ({error})"
    fits = "" if plan["fits"] else ", does not fit"
    gib, seconds = plan["gib"], plan["step"]["seconds"]
    return f"{epochs}; {plan['machine']}: {gib['total']:.0f} of {gib['device']:.0f} GiB{fits}, {seconds:.1f} s a step"


def _annotate(recipe: AnnotateRecipe, *, pilot: bool) -> str:
    if not pilot:
        return "unknown; --pilot tries a few problems"
    from prmkit.recipe.execute import expected_cost

    try:
        cost = expected_cost(recipe)
    except PrmkitError as error:
        return f"unknown ({str(error).splitlines()[0]})"
    return ", ".join(f"{value:,.0f} {name}" if value >= 10 else f"{value:.2g} {name}" for name, value in cost.items())
