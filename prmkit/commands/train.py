"""``prmkit train``: run a training, or plan it."""

from typing import TYPE_CHECKING, Annotated

import typer

from prmkit.commands.console import JsonOption, RecipeArgument, SetOption, print_record
from prmkit.commands.runs import composed_recipe, recipe_verb

if TYPE_CHECKING:
    from prmkit.recipe.compose import Composed


def _composed(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="MACHINE", help="Only say what it takes on a machine: 8xH100, 1xH200, ..."),
    ] = None,
    mfu: Annotated[
        float, typer.Option("--mfu", min=0.01, max=1.0, help="With --plan: the share of the peak that is reached.")
    ] = 0.45,
    tokens: Annotated[
        int | None,
        typer.Option(
            "--tokens", min=1, help="With --plan: tokens of the whole training, all epochs; default: of prepared data."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> "Composed | None":
    """Train a PRM on labelled trees, and write its checkpoint; with --plan, say what that takes."""
    composed = composed_recipe(recipe, overrides)
    if plan is None:
        return composed
    from prmkit.recipe.bind import bind_stage
    from prmkit.recipe.stages.train import TrainRecipe, find_rows, tokens_of
    from prmkit.train.machines import machine_of

    machine, bound = machine_of(plan), bind_stage(composed, "train")
    assert isinstance(bound, TrainRecipe)
    from prmkit.train.estimate import estimate

    if tokens is None and (found := find_rows(bound)) is not None:
        tokens = tokens_of(bound, found)
    print_record(estimate(bound.model, bound.train, machine, mfu=mfu, tokens=tokens), as_json=as_json)
    return None


train = recipe_verb("train", _composed)
