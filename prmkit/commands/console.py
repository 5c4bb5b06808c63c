"""What the verbs share at the terminal: their common options, and how they print."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import orjson
import typer
from typer.core import TyperGroup

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe file, a name from `prmkit recipes list`, or a run.yaml.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one value, such as train.lr=2e-5. Repeatable."),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace what stands there.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def default_verb(name: str) -> type[TyperGroup]:
    """A group of verbs whose first word, where it names none of them, is the first argument of this one."""

    class Group(TyperGroup):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            if args and args[0] not in {*self.commands, "--help"}:
                args = [name, *args]
            return super().parse_args(ctx, args)

    return Group


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool) -> None:
    """Print rows in aligned columns, never cut; as JSON, a list of objects with the columns as keys."""
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    texts = [list(columns), *([_text(value) for value in row] for row in rows)]
    widths = [max(len(row[index]) for row in texts) for index in range(len(columns))]
    for row in texts:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def print_record(record: Mapping[str, Any], *, as_json: bool) -> None:
    """Print names and values, one pair a line, inner names after a dot, and lists of records as tables before them.

    What is empty is left out. As JSON, one object.
    """
    if as_json:
        print_json(record)
        return
    tables = {name: value for name, value in record.items() if _is_table(value)}
    for records in tables.values():
        rows = [dict(_flat(row)) for row in records]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        print_table(columns, [[row.get(name, "") for name in columns] for row in rows], as_json=False)
        typer.echo()
    rest = {name: value for name, value in record.items() if name not in tables}
    print_table(("name", "value"), list(_flat(rest)), as_json=False)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, Mapping) and not _is_estimate(value):
            yield from _flat(value, f"{prefix}{key}.")
        elif value != []:
            yield f"{prefix}{key}", value


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _is_estimate(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"value", "stderr", "n"}


def _text(value: Any) -> str:
    if _is_estimate(value):
        error = "" if value["stderr"] is None else f" ± {value['stderr']:.4f}"
        return "unknown" if value["value"] is None else f"{value['value']:.4f}{error} (n = {value['n']})"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) and value.isprintable() else repr(value)
