"""The verbs that run a recipe: annotate needs nothing else; search, train and similarity have options of their own."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from prmkit.recipe.compose import Composed

VERBS = {
    "annotate": "Label the steps of solutions with a policy, and write trees.jsonl.",
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
        from prmkit.recipe.catalog import locate
        from prmkit.recipe.compose import compose

        composed = compose(locate(recipe), overrides or [])
        run_recipe(stage, composed, out, dry_run=dry_run, resume=resume, overwrite=overwrite, as_json=as_json)

    return run


def run_recipe(
    stage: str,
    composed: "Composed",
    out: Path | None,
    *,
    dry_run: bool,
    resume: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Run a composed recipe of this stage in its folder, and print what came out; or only print the recipe."""
    from prmkit.recipe.bind import Row, bind_stage, describe
    from prmkit.recipe.schema import RECIPES

    bound = bind_stage(composed, RECIPES[stage])
    if dry_run:
        from prmkit.recipe.execute import expected_cost

        origin = "expected, from the pilot"
        costs = [Row(f"expected.{name}", value, origin) for name, value in expected_cost(bound).items()]
        print_table(Row._fields, [*describe(composed, bound), *costs], as_json=as_json)
        return
    from prmkit.recipe.execute import inputs_of, prepare
    from prmkit.run import RunFolder, writing

    path = out or Path("runs", f"{composed.path.resolve().parent.name}-{composed.path.stem}")
    values = bound.model_dump(mode="json")
    work = prepare(bound, progress)
    folder = RunFolder.create(
        path, values, inputs=inputs_of(bound), seed=values["seed"], resume=resume, overwrite=overwrite
    )
    with writing(folder.path), _resumable():
        metrics = work(folder)
    if not folder.follower:
        print_record({"run": str(folder.path), **metrics}, as_json=as_json)


@contextmanager
def _resumable() -> Iterator[None]:
    """On Ctrl-C, say how to go on. What was done is on disk already."""
    try:
        yield
    except KeyboardInterrupt:
        arguments = [argument for argument in sys.argv[1:] if argument not in ("--resume", "--overwrite")]
        typer.echo(f"interrupted; go on with: {shlex.join(['prmkit', *arguments, '--resume'])}", err=True)
        raise typer.Exit(130) from None
