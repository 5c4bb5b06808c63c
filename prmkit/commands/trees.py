"""``prmkit trees``: look at the trees of a search, or hand them to other tools."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from prmkit.commands.console import JsonOption, print_json, print_record
from prmkit.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from prmkit.tree import StepTree

app = typer.Typer(help="Show and export trees.", no_args_is_help=True, rich_markup_mode=None)

PathArgument = Annotated[Path, typer.Argument(metavar="RUN|FILE", help="A run folder, or a file of trees.")]
ProblemOption = Annotated[
    str | None, typer.Option("--problem", metavar="ID", help="The problem; by default the first of the file.")
]


@app.command("show")
def show_tree(path: PathArgument, problem: ProblemOption = None, as_json: JsonOption = False) -> None:
    """Print one tree: indented steps, their scores, and what became of them."""
    from prmkit.trees_io import to_record

    tree = _tree(path, problem)
    if as_json:
        print_json(to_record(tree))
        return
    from rich.console import Console

    from prmkit.report.terminal import drawn

    Console(soft_wrap=True, highlight=False).print(drawn(tree))


@app.command("export")
def export_tree(
    path: PathArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")],
    problem: ProblemOption = None,
    form: Annotated[
        Literal["json", "dot"] | None,
        typer.Option("--format", help="JSON, or Graphviz (dot); by default by the file's name."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one tree as JSON or for Graphviz (dot -Tsvg FILE)."""
    import orjson

    from prmkit.report.graphviz import dot
    from prmkit.run.files import write_whole, writing
    from prmkit.trees_io import to_record

    if out.exists():
        raise InputError("the file exists", where=out, cure="Choose another name or remove it.")
    tree = _tree(path, problem)
    form = form or ("dot" if out.suffix in (".dot", ".gv") else "json")
    data = dot(tree).encode() if form == "dot" else orjson.dumps(to_record(tree), option=orjson.OPT_INDENT_2) + b"\n"
    with writing(out):
        write_whole(out, data)
    print_record({"wrote": str(out), "problem": tree.problem.id, "steps": len(tree)}, as_json=as_json)


def _tree(path: Path, problem: str | None) -> "StepTree":
    from prmkit.run.activity import busy
    from prmkit.run.folder import RunFolder
    from prmkit.trees_io import problem_named, read_lines, read_trees

    file = RunFolder(path).trees if path.is_dir() else path
    with busy("looking for the tree"):
        tree = next(read_trees(file, only=problem), None)
        if tree is not None:
            return tree
        ids = [name for _, record in read_lines(file) if (name := problem_named(record)) is not None]
    raise InputError("no such problem", where=file, got=problem, cure=did_you_mean(problem, ids))
