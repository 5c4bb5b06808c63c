"""The verbs that run a recipe: annotate, train, search. They differ in the recipe alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from prmkit.commands.console import (
    DryRunOption,
    JsonOption,
    OutOption,
    OverwriteOption,
    RecipeArgument,
    ResumeOption,
    SetOption,
    print_record,
    print_table,
    progress,
)

VERBS = {
    "annotate": "Label the steps of solutions with a policy, and write trees.jsonl.",
    "train": "Train a PRM on labelled trees, and write its checkpoint.",
    "search": "Solve problems with a policy, a PRM and a search strategy, and write trees.jsonl.",
}
"""What each verb does, by the stage of its recipe."""


def add_verbs(app: typer.Typer) -> None:
    """Give the app one command for each verb."""
    for stage, summary in VERBS.items():
        app.command(stage, help=summary)(_verb(stage))


def _verb(stage: str) -> Callable[..., None]:
    def run(
        recipe: RecipeArgument,
        overrides: SetOption = None,
        out: OutOption = None,
        dry_run: DryRunOption = False,
        resume: ResumeOption = False,
        overwrite: OverwriteOption = False,
        as_json: JsonOption = False,
    ) -> None:
        run_recipe(
            stage,
            recipe,
            overrides or [],
            out,
            dry_run=dry_run,
            resume=resume,
            overwrite=overwrite,
            as_json=as_json,
        )

    return run


def run_recipe(
    stage: str,
    recipe: str,
    overrides: Sequence[str],
    out: Path | None,
    *,
    dry_run: bool,
    resume: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Run a recipe of a stage in its folder and print its metrics; with ``dry_run``, print its values."""
    from prmkit.recipe.bind import Row, bind_stage, describe
    from prmkit.recipe.catalog import locate
    from prmkit.recipe.compose import compose
    from prmkit.recipe.schema import RECIPES

    composed = compose(locate(recipe), overrides)
    bound = bind_stage(composed, RECIPES[stage])
    if dry_run:
        print_table(Row._fields, describe(composed, bound), as_json=as_json)
        return
    from prmkit.recipe.execute import inputs_of, prepare
    from prmkit.run import RunFolder, writing

    path = out or Path("runs", f"{composed.path.resolve().parent.name}-{composed.path.stem}")
    values = bound.model_dump(mode="json")
    work = prepare(bound, progress)
    folder = RunFolder.create(
        path, values, inputs=inputs_of(bound), seed=values["seed"], resume=resume, overwrite=overwrite
    )
    with writing(folder.path):
        metrics = work(folder)
    if not folder.follower:
        print_record({"run": str(folder.path), **metrics}, as_json=as_json)
