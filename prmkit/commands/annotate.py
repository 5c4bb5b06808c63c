"""``prmkit annotate``: label steps."""

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


def annotate(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    out: OutOption = None,
    dry_run: DryRunOption = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Label the steps of solutions with a policy, and write trees.jsonl; --dry-run tells the cost from a pilot."""
    composed = composed_recipe(recipe, overrides)
    run_recipe("annotate", composed, out, dry_run=dry_run, resume=resume, overwrite=overwrite, as_json=as_json)
