"""``prmkit report``: one page from run folders."""

from pathlib import Path
from typing import Annotated

import typer

from prmkit.commands.console import JsonOption, OverwriteOption, print_record


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, in the order of the page.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page.")] = Path("report.html"),
    title: Annotated[str, typer.Option("--title", help="Its title.")] = "prmkit report",
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write one self-contained HTML page: accuracy, cost, training, similarity, a scored solution, manifests."""
    from prmkit.report import build_report
    from prmkit.run import writing

    with writing(out):
        build_report(runs, out, title=title, overwrite=overwrite)
    print_record({"wrote": str(out), "bytes": out.stat().st_size}, as_json=as_json)
