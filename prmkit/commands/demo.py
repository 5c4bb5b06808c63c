"""``prmkit demo``: the whole loop in miniature."""

from pathlib import Path
from typing import Annotated, Any

import typer

from prmkit.commands.console import JsonOption, OverwriteOption, print_json, print_table
from prmkit.commands.live import progress
from prmkit.commands.runs import ResumeOption, resumable


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where it works.")] = Path("runs/demo"),
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Also train the policy and the backbone (ten minutes more).")
    ] = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the whole loop on the embedded world, and write summary.json and report.html."""
    from prmkit.demo.loop import run_demo

    with resumable(out):
        summary = run_demo(
            out,
            from_scratch=from_scratch,
            resume=resume,
            overwrite=overwrite,
            say=lambda line: typer.echo(line, err=True),
            watch=progress,
        )
    if as_json:
        print_json(summary)
        return
    rows = [row for name in ("synthetic-math", "synthetic-code") for row in _rows(name, summary[name])]
    print_table(("benchmark", "figure", "value", "error", "problems"), rows, as_json=False)
    typer.echo(f"{sum(summary['seconds'].values()):.0f} s. Look at {out / 'report.html'} and {out / 'summary.json'}")


def _rows(name: str, figures: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """The figures of one benchmark, in percent but for the AUC."""
    found = {key: value for key, value in figures.items() if "value" in value} | figures["differences"]
    rows = []
    for key, figure in found.items():
        scale, digits = (1, 3) if key == "within_problem_auc" else (100, 1)
        value, error = (f"{scale * figure[part]:.{digits}f}" for part in ("value", "stderr"))
        rows.append((name, key, value, f"± {error}", str(figure["n"])))
    return rows
