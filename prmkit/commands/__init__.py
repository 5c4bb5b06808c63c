"""The command line: every verb parses, calls one function and prints.

The verbs' modules import what they need when they run, so that ``prmkit --help`` answers at once.
"""

import sys
from typing import Annotated

import typer

from prmkit import __version__
from prmkit.commands import (
    attribute,
    checkpoint,
    data,
    demo,
    evaluate,
    grade,
    models,
    recipes,
    report,
    search,
    similarity,
    study,
    train,
    trees,
)
from prmkit.commands.live import activities
from prmkit.commands.runs import table_verb
from prmkit.errors import PrmkitError
from prmkit.recipe.stages import STAGES

app = typer.Typer(
    help="Train Process Reward Models, make their step labels, search with them, measure what they learned.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("train")(train.train)
app.command("search")(search.search)
app.add_typer(evaluate.app, name="evaluate")
app.command("grade")(grade.grade)
app.add_typer(similarity.app, name="similarity")
app.command("report")(report.report)
app.command("attribute")(attribute.attribute)
app.command("study")(study.study)
app.command("demo")(demo.demo)
app.add_typer(data.app, name="data")
app.add_typer(trees.app, name="trees")
app.add_typer(recipes.app, name="recipes")
app.add_typer(checkpoint.app, name="checkpoint")
app.add_typer(models.app, name="models")
_known = {*(each.name for each in app.registered_commands), *(each.name for each in app.registered_groups)}
for _stage, _entry in STAGES.items():
    if _entry.verb.split()[0] not in _known:  # it needs no options of its own
        app.command(_entry.verb)(table_verb(_stage, _entry.summary))


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
        with activities():
            app(prog_name="prmkit")
    except PrmkitError as error:
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)
