"""What the verbs that run a recipe do with it, and how their commands are made: the common options stand here once."""

import functools
import inspect
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prmkit.commands.console import (
    JsonOption,
    OverwriteOption,
    RecipeArgument,
    SetOption,
    print_record,
    print_table,
)
from prmkit.commands.live import progress

if TYPE_CHECKING:
    from pydantic import BaseModel

    from prmkit.recipe.compose import Composed
    from prmkit.run.results import Result

OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="The run folder; by default runs/ and the recipe's name."),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print every value and where it came from, and do nothing.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")]

Show = Callable[["Result"], dict[str, Any]]
"""What a table has room for, of a result."""


def composed_recipe(recipe: RecipeArgument, overrides: SetOption = None) -> "Composed":
    """The values of the recipe that a user names, with those of ``--set``."""
    from prmkit.recipe.catalog import locate
    from prmkit.recipe.compose import compose

    return compose(locate(recipe), overrides or [])


def recipe_verb(
    stage: str,
    compose: Callable[..., "Composed | None"] = composed_recipe,
    *,
    show: Show | None = None,
    also: Sequence[str] = (),
) -> Callable[..., None]:
    """The command that runs a recipe of this stage: what ``compose`` takes, and the options that all such verbs have.

    Args:
        stage: by name.
        compose: makes the values of the recipe from its own parameters, which become those of the command; None from it
            means that all is done. Its docstring is the help.
        show: chooses what is printed without ``--json``.
        also: stages whose recipes it runs too.
    """

    def run(
        out: OutOption = None,
        dry_run: DryRunOption = False,
        resume: ResumeOption = False,
        overwrite: OverwriteOption = False,
        as_json: JsonOption = False,
        **own: Any,
    ) -> None:
        if "as_json" in parameters:
            own["as_json"] = as_json
        composed = compose(**own)
        if composed is not None:
            named = str(composed.values.get("stage"))
            wanted = named if named in also else stage
            run_recipe(
                wanted, composed, out, dry_run=dry_run, resume=resume, overwrite=overwrite, as_json=as_json, show=show
            )

    parameters = inspect.signature(compose).parameters
    common = inspect.signature(run).parameters
    names = {**parameters, **common}
    names.pop("own")
    signature = inspect.Signature([each.replace(kind=each.KEYWORD_ONLY) for each in names.values()])
    command = functools.wraps(compose)(run)
    command.__signature__ = signature  # type: ignore[attr-defined]  # what Typer reads
    command.__annotations__ = {name: each.annotation for name, each in names.items()}
    return command


def table_verb(stage: str, summary: str) -> Callable[..., None]:
    """The command of a stage that has no options of its own."""

    def compose(recipe: RecipeArgument, overrides: SetOption = None) -> "Composed":
        return composed_recipe(recipe, overrides)

    compose.__doc__ = summary
    return recipe_verb(stage, compose)


def run_recipe(
    stage: str,
    composed: "Composed",
    out: Path | None,
    *,
    dry_run: bool,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    show: Show | None = None,
) -> None:
    """Run a composed recipe of this stage in its folder, and print what came out; or only print the recipe."""
    from prmkit.recipe.bind import RecipeValue, bind_stage, describe
    from prmkit.recipe.stages import stage_of

    bound = bind_stage(composed, stage)
    if dry_run:
        origin = "expected, from the pilot"
        expected = stage_of(bound).expected(bound)
        costs = [RecipeValue(f"expected.{name}", value, origin) for name, value in expected.items()]
        prompts = [RecipeValue(f"prompt.{key}", text, "the first prompt") for key, text in _prompts(bound)]
        print_table(RecipeValue._fields, [*describe(composed, bound), *costs, *prompts], as_json=as_json)
        return
    from prmkit.recipe.execute import execute

    path = out or stage_of(bound).folder(bound)
    if path is None:
        path = Path("runs", f"{composed.path.resolve().parent.name}-{composed.path.stem}")
    with resumable(path):
        folder, result = execute(bound, path, watch=progress, resume=resume, overwrite=overwrite)
    if result is not None and not folder.follower:
        printed = result.as_json() if as_json else (show or _without_prompt)(result)
        print_record({"run": str(folder.path), **printed}, as_json=as_json)


def _without_prompt(result: "Result") -> dict[str, Any]:
    return {name: value for name, value in result.as_json().items() if name != "prompt"}


def _prompts(recipe: "BaseModel") -> list[tuple[str, str]]:
    from prmkit.errors import PrmkitError
    from prmkit.recipe.stages import stage_of

    try:
        return list(stage_of(recipe).prompts(recipe).items())
    except PrmkitError as error:  # a recipe can be looked at where its model or its problems are not
        return [("generator", f"unknown ({str(error).splitlines()[0]})")]


@contextmanager
def resumable(path: Path) -> Iterator[None]:
    """On Ctrl-C, say how to go on with the run in a folder. What was done is on disk already."""
    from prmkit.run.folder import RunFolder

    record = RunFolder(path).record
    before = _written(record)
    try:
        yield
    except KeyboardInterrupt:
        arguments = sys.argv[1:]
        # With --overwrite, until the record is a new one, the folder holds the old run, which is not to go on.
        if "--overwrite" not in arguments or _written(record) != before:
            arguments = [argument for argument in arguments if argument not in ("--resume", "--overwrite")]
            arguments.append("--resume")
        typer.echo(f"interrupted; go on with: {shlex.join(['prmkit', *arguments])}", err=True)
        raise typer.Exit(130) from None


def _written(file: Path) -> tuple[int, int] | None:
    """Tells a file from another of its name; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
