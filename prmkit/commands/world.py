"""``prmkit world``: the embedded world's models."""

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


def world(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    out: OutOption = None,
    dry_run: DryRunOption = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make the embedded world's policy and backbone: the shipped ones, or others of any size."""
    composed = composed_recipe(recipe, overrides)
    run_recipe("world", composed, out, dry_run=dry_run, resume=resume, overwrite=overwrite, as_json=as_json)
