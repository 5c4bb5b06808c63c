"""What the verbs share at the terminal: their common options, tables and progress."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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

_SECONDS_BETWEEN_LINES = 10.0


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
    rest = {name: value for name, value in record.items() if name not in tables and value not in ([], {})}
    print_table(("name", "value"), list(_flat(rest)), as_json=False)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def is_terminal() -> bool:
    """Whether a person watches standard error, where progress is shown."""
    return sys.stderr.isatty()


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[..., None]]:
    """A function to call as each of ``total`` things is done: a live table on a terminal, elsewhere a line at times.

    It takes how many are done, and figures to show beside (see recipe.watch.Done). Standard output stays free for
    results: everything goes to standard error.
    """
    if is_terminal():
        with _live_table(what, total) as advance:
            yield advance
        return
    start = last = time.monotonic()
    count = 0

    def done(new: int = 1, figures: Mapping[str, str] | None = None) -> None:
        nonlocal count, last
        count += new
        now = time.monotonic()
        if (new and count == total) or now - last >= _SECONDS_BETWEEN_LINES:
            last = now
            shown = "".join(f", {name} {value}" for name, value in (figures or {}).items())
            typer.echo(f"{what}: {count} of {total}, {now - start:.0f} s{shown}", err=True)

    yield done


@contextmanager
def _live_table(what: str, total: int) -> Iterator[Callable[..., None]]:
    """A bar, and below it the figures in a row."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Table

    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    task = bar.add_task(what, total=total)
    with Live(bar, console=Console(stderr=True), transient=True, refresh_per_second=4) as live:

        def done(new: int = 1, figures: Mapping[str, str] | None = None) -> None:
            bar.advance(task, new)
            if figures:
                table = Table(*figures, box=None, pad_edge=False)
                table.add_row(*figures.values())
                live.update(Group(bar, table))

        yield done


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, Mapping) and value and not _is_estimate(value):
            yield from _flat(value, f"{prefix}{key}.")
        else:
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
