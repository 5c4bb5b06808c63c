"""``prmkit search``: solve problems by one strategy, or by several side by side."""

from typing import Annotated

import typer

from prmkit.commands.console import (
    DryRunOption,
    JsonOption,
    OutOption,
    OverwriteOption,
    RecipeArgument,
    ResumeOption,
    SetOption,
)
from prmkit.commands.runs import composed_recipe, run_recipe


def search(
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
    out: OutOption = None,
    dry_run: DryRunOption = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Solve problems with a policy, a PRM and a search strategy, and write trees.jsonl."""
    composed = composed_recipe(recipe, overrides)
    if strategy is not None:
        from prmkit.recipe.compare import with_strategies

        composed = with_strategies(composed, [name.strip() for name in strategy.split(",")])
    run_recipe("search", composed, out, dry_run=dry_run, resume=resume, overwrite=overwrite, as_json=as_json)
