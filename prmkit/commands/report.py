"""``prmkit report``: one page from run folders."""

from pathlib import Path
from typing import Annotated

import typer

from prmkit.commands.console import JsonOption, OverwriteOption, print_record


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, in the order of the page.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="What to write; by default report.html or report.md.")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="Of the page.")] = "prmkit report",
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Write the sentences and tables as Markdown, as for a model card.")
    ] = False,
    megabytes: Annotated[
        float, typer.Option("--megabytes", min=3.0, help="How large the page may be; more room holds more solutions.")
    ] = 6.0,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write one self-contained HTML page: figures, tables, search trees, scored solutions, manifests."""
    from prmkit.report import build_report, write_summary
    from prmkit.run.files import writing

    file = out or Path("report.md" if markdown else "report.html")
    with writing(file):
        if markdown:
            write_summary(runs, file, overwrite=overwrite)
        else:
            build_report(runs, file, title=title, megabytes=megabytes, overwrite=overwrite)
    print_record({"wrote": str(file), "bytes": file.stat().st_size}, as_json=as_json)
