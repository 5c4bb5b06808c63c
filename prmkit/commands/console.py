"""What the verbs share at the terminal: their common options, and tables."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe file, a name from `prmkit recipes list`, or a run.yaml.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one value, such as train.lr=2e-5. Repeatable."),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FOLDER", help="The run folder; by default runs/ and the recipe's name.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print every value and where it came from, and do nothing.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace the run in the folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool) -> None:
    """Print rows in aligned columns, never cut; as JSON, a list of objects with the columns as keys."""
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    texts = [list(columns), *([_text(value) for value in row] for row in rows)]
    widths = [max(len(row[index]) for row in texts) for index in range(len(columns))]
    for row in texts:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def print_record(record: dict[str, Any], *, as_json: bool) -> None:
    """Print names and values, one pair a line; as JSON, one object."""
    if as_json:
        print_json(record)
    else:
        print_table(("name", "value"), list(record.items()), as_json=False)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def is_terminal() -> bool:
    """Whether a person watches: then progress is worth showing."""
    return sys.stderr.isatty()


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) and value.isprintable() else repr(value)
