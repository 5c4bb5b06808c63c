"""The page: sections around figures and tables, in one file that needs nothing else."""

import os
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from prmkit.errors import InputError
from prmkit.report import figures, tables
from prmkit.report.read import Run, read_runs
from prmkit.report.solution import scored_solution

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem; border-bottom: 1px solid #8883; text-align: right; }
th:first-child, td:first-child { text-align: left; }
pre { overflow-x: auto; padding: .8rem; background: #8881; }
meter { width: 8rem; }
"""


def build_report(
    runs: Sequence[Path], out: Path, *, title: str, notes: Sequence[str] = (), overwrite: bool = False
) -> None:
    """Write one self-contained HTML page about some runs; a section without a run to fill it is left out.

    Args:
        runs: run folders, in the order of the page.
        out: the file.
        title: of the page.
        notes: what a reader should know, a sentence each.
        overwrite: replace the file.

    Raises:
        InputError: a folder holds no finished run, or the file exists.
    """
    if out.exists() and not overwrite:
        raise InputError("the file exists", where=out, cure="Give --overwrite or another --out.")
    found = read_runs(runs)
    sections = "".join(f"<section><h2>{name}</h2>{content}</section>" for name, content in _sections(found) if content)
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style>'
        f"{figures.plotly_script()}</head><body><h1>{escape(title)}</h1><ul>{listed}</ul>{sections}</body></html>\n"
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _sections(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    searched = [run for run in runs if run.evaluation is not None]
    trained = [run for run in runs if run.history]
    yield "What the PRM is worth", "".join(map(tables.headline, searched))
    yield "Accuracy", "".join(_under(run, figures.accuracy_figure(run)) for run in searched)
    yield "Selection rules", tables.strategies(searched) if searched else ""
    yield "Cost", tables.costs(runs)
    yield "Training", "".join(_under(run, figures.training_figure(run)) for run in trained)
    compared = [run for run in runs if run.stage == "similarity"]
    yield "Similarity of activation patterns", "".join(map(tables.similarity, compared))
    yield "A scored solution", next(filter(None, map(scored_solution, searched)), "")
    yield "How to run it again", "".join(map(tables.manifest, runs))


def _under(run: Run, content: str) -> str:
    return f"<h3>{escape(str(run.metrics.get('benchmark', run.name)))}</h3>{content}"
