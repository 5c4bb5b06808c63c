"""What the verbs that run a recipe do with it: annotate, train, search, similarity."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from prmkit.commands.console import print_record, print_table, progress

if TYPE_CHECKING:
    from prmkit.recipe.compose import Composed


def composed_recipe(recipe: str, overrides: Sequence[str] | None) -> "Composed":
    """The values of the recipe that a user names, with those of ``--set``."""
    from prmkit.recipe.catalog import locate
    from prmkit.recipe.compose import compose

    return compose(locate(recipe), overrides or [])


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
    from prmkit.recipe.bind import RecipeValue, bind_stage, describe
    from prmkit.recipe.schema import RECIPES

    bound = bind_stage(composed, RECIPES[stage])
    if dry_run:
        from prmkit.recipe.execute import expected_cost

        origin = "expected, from the pilot"
        costs = [RecipeValue(f"expected.{name}", value, origin) for name, value in expected_cost(bound).items()]
        print_table(RecipeValue._fields, [*describe(composed, bound), *costs], as_json=as_json)
        return
    from prmkit.recipe.execute import inputs_of, prepare
    from prmkit.run.files import writing
    from prmkit.run.folder import RunFolder

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
