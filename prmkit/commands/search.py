"""``prmkit search``: solve problems by one strategy, or by several side by side."""

from typing import TYPE_CHECKING, Annotated

import typer

from prmkit.commands.console import RecipeArgument, SetOption
from prmkit.commands.runs import composed_recipe, recipe_verb

if TYPE_CHECKING:
    from prmkit.recipe.compose import Composed


def _composed(
    recipe: RecipeArgument,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            metavar="A,B,...",
            help="In place of the recipe's: one strategy, or several side by side, each as recipes/strategies has it, "
            "with those of the recipe's own options that it takes.",
        ),
    ] = None,
    overrides: SetOption = None,
) -> "Composed":
    """Solve problems with a policy, a PRM and a search strategy, and write trees.jsonl."""
    composed = composed_recipe(recipe, overrides)
    if strategy is None:
        return composed
    from prmkit.recipe.compare import with_strategies

    return with_strategies(composed, [name.strip() for name in strategy.split(",")])


search = recipe_verb("search", _composed)
