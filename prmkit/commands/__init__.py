"""The command line: every verb parses, calls one function and prints.

The verbs' modules import what they need when they run, so that ``prmkit --help`` answers at once.
"""

import sys
from typing import Annotated

import typer

from prmkit import __version__
from prmkit.commands import (
    annotate,
    attribute,
    checkpoint,
    data,
    demo,
    evaluate,
    recipes,
    report,
    search,
    similarity,
    study,
    train,
    trees,
    world,
)
from prmkit.errors import PrmkitError

app = typer.Typer(
    help="Train Process Reward Models, make their step labels, search with them, measure what they learned.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("annotate")(annotate.annotate)
app.command("train")(train.train)
app.command("search")(search.search)
app.command("evaluate")(evaluate.evaluate)
app.command("report")(report.report)
app.command("attribute")(attribute.attribute)
app.command("study")(study.study)
app.command("demo")(demo.demo)
app.command("world")(world.world)
app.add_typer(similarity.app, name="similarity")
app.add_typer(data.app, name="data")
app.add_typer(trees.app, name="trees")
app.add_typer(recipes.app, name="recipes")
app.add_typer(checkpoint.app, name="checkpoint")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"prmkit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that stand before the verb."""


def main() -> None:
    """Run the verb that the command line names, and exit: 0 done, 1 failed, 2 bad input or usage, 130 interrupted.

    What a user can mend is printed to stderr without a traceback.
    """
    try:
        app(prog_name="prmkit")
    except PrmkitError as error:
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)
