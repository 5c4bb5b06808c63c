"""The verbs that run a recipe: annotate, train, search, similarity. They differ in the recipe alone."""

from collections.abc import Callable
from pathlib import Path
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
    print_record,
    print_table,
    progress,
)

VERBS = {
    "annotate": "Label the steps of solutions with a policy, and write trees.jsonl.",
    "train": "Train a PRM on labelled trees, and write its checkpoint.",
    "search": "Solve problems with a policy, a PRM and a search strategy, and write trees.jsonl.",
    "similarity": "Compare how a model processes sets of responses, by activation patterns.",
}
"""What each verb does, by the stage of its recipe."""


def add_verbs(app: typer.Typer) -> None:
    """Give the app one command for each verb."""
    for stage, summary in VERBS.items():
        app.command(stage, help=summary)(train if stage == "train" else _verb(stage))


def train(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    out: OutOption = None,
    dry_run: DryRunOption = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="MACHINE", help="Only say what it takes on a machine: 8xH100, 1xH200, ..."),
    ] = None,
    mfu: Annotated[
        float, typer.Option("--mfu", min=0.01, max=1.0, help="With --plan: the share of the peak that is reached.")
    ] = 0.45,
    tokens: Annotated[
        int | None, typer.Option("--tokens", min=1, help="With --plan: tokens of the whole training, all epochs.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train, or plan a training."""
    if plan is None:
        _run("train", recipe, overrides, out, dry_run, resume, overwrite, as_json)
        return
    from prmkit.recipe.bind import bind_stage
    from prmkit.recipe.catalog import locate
    from prmkit.recipe.compose import compose
    from prmkit.recipe.schema import TrainRecipe
    from prmkit.train.machines import machine_of

    machine, bound = machine_of(plan), bind_stage(compose(locate(recipe), overrides or []), TrainRecipe)
    assert isinstance(bound, TrainRecipe)
    from prmkit.train.estimate import estimate

    print_record(estimate(bound.model, bound.train, machine, mfu=mfu, tokens=tokens), as_json=as_json)


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
        _run(stage, recipe, overrides, out, dry_run, resume, overwrite, as_json)

    return run


def _run(
    stage: str,
    recipe: str,
    overrides: list[str] | None,
    out: Path | None,
    dry_run: bool,
    resume: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    from prmkit.recipe.bind import Row, bind_stage, describe
    from prmkit.recipe.catalog import locate
    from prmkit.recipe.compose import compose
    from prmkit.recipe.schema import RECIPES

    composed = compose(locate(recipe), overrides or [])
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
