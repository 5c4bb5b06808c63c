"""The page: sections around figures, tables and trees, in one file that needs nothing else.

The file holds HTML that is readable without scripts, and, compressed, plotly, the data of the figures and the trees.
A Content-Security-Policy lets run the page's own two scripts, by their hashes, and no other; nothing may be fetched.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import NamedTuple

from prmkit import __version__
from prmkit.annotate.result import AnnotationResult
from prmkit.evaluate.anytime import AnytimeResult
from prmkit.evaluate.evaluation import EvaluationResult
from prmkit.evaluate.labelled import StepsResult
from prmkit.evaluate.reselection import SelectionResult
from prmkit.evaluate.side_by_side import SideBySideResult
from prmkit.report.blocks import Prose, Section
from prmkit.report.html import Page, anchor, prose
from prmkit.report.read import Run, read_runs
from prmkit.report.sections.accuracy import accuracy
from prmkit.report.sections.calibration import calibration
from prmkit.report.sections.costs import costs
from prmkit.report.sections.labels import labels
from prmkit.report.sections.manifests import manifests
from prmkit.report.sections.others import others
from prmkit.report.sections.overview import overview
from prmkit.report.sections.similarity import similarity
from prmkit.report.sections.strategies import strategies
from prmkit.report.sections.studies import studies
from prmkit.report.sections.training import training
from prmkit.report.study_result import StudyResult
from prmkit.report.viewer import TreePages, compressed, tree_pages
from prmkit.run.activity import busy
from prmkit.run.files import refuse_existing, write_text
from prmkit.run.results import Result
from prmkit.search.result import SearchResult
from prmkit.similarity.result import SimilarityResult
from prmkit.train.result import TrainingResult


class Part(NamedTuple):
    """A section of the page, and the types of results that it shows; a section of all runs alike names none."""

    section: Callable[[Sequence[Run]], Section]
    shows: tuple[type[Result], ...] = ()


def _others(runs: Sequence[Run]) -> Section:
    return others(runs, tuple(kind for part in SECTIONS for kind in part.shows))


SECTIONS: tuple[Part, ...] = (
    Part(overview),
    Part(studies, (StudyResult,)),
    Part(strategies, (SearchResult, SideBySideResult, AnytimeResult)),
    Part(accuracy, (EvaluationResult, SelectionResult)),
    Part(calibration, (StepsResult,)),
    Part(labels, (AnnotationResult,)),
    Part(training, (TrainingResult,)),
    Part(similarity, (SimilarityResult,)),
    Part(_others),
    Part(costs),
    Part(manifests),
)
"""In the order of the page. A section that has nothing to show of some runs has no blocks, and is left out. Results of
types that none of them names stand among the other runs."""

MEGABYTES = 6.0
_WITHOUT_TREES = 2.2
"""Megabytes of a page for plotly, which is two of them, and all that is no tree."""

_WEB = files("prmkit.report") / "web"
_SCRIPTS = ("data.js", "figures.js", "tree.js", "reader.js", "viewer.js", "page.js")


def build_report(
    runs: Sequence[Path],
    out: Path,
    *,
    title: str,
    notes: Sequence[str] = (),
    megabytes: float = MEGABYTES,
    overwrite: bool = False,
) -> None:
    """Write one self-contained HTML page about some runs; a section without a run to fill it is left out.

    Args:
        runs: run folders, in the order of the page.
        out: the file.
        title: of the page.
        notes: what a reader should know, a sentence each.
        megabytes: about how large the page may be; solutions that do not fit are left out and counted.
        overwrite: replace the file.

    Raises:
        InputError: a folder holds no finished run, or the file exists.
    """
    refuse_existing(out, overwrite=overwrite)
    found = read_runs(runs)
    with busy("laying out the sections"):
        sections = sections_of(found)
    trees = tree_pages(found, int(1_000_000 * (megabytes - _WITHOUT_TREES)))
    write_page(out, title=title, sections=sections, notes=notes, trees=trees)


def sections_of(runs: Sequence[Run]) -> list[Section]:
    """The sections that have something to show."""
    return [section for part in SECTIONS if (section := part.section(runs)).blocks]


def write_page(
    out: Path, *, title: str, sections: Sequence[Section], notes: Sequence[str] = (), trees: TreePages | None = None
) -> None:
    """Write a page of these sections, as a whole or not at all."""
    write_text(out, page(title=title, sections=sections, notes=notes, trees=trees))


def page(*, title: str, sections: Sequence[Section], notes: Sequence[str], trees: TreePages | None) -> str:
    """The page as text."""
    from plotly.offline import get_plotlyjs

    writer = Page()
    parts = [writer.section(section) for section in sections]
    links = [(anchor(section), section.title) for section in sections]
    if trees is not None:
        parts.insert(1, _web("viewer.html"))  # after the overview: it is what people come to look at
        links.insert(1, ("trees", "Trees and solutions"))
    plotly, script = get_plotlyjs(), "".join(map(_web, _SCRIPTS))
    data = {"figures": compressed(writer.figures), "plotly": compressed(plotly.encode(), level=9)}
    if trees is not None:
        data |= {"trees": compressed(trees.index)}
        data |= {f"trees-{number}": chunk for number, chunk in enumerate(trees.chunks)}
    return Template(_web("page.html")).substitute(
        title=escape(title),
        policy=f"{_hash(script)} {_hash(plotly)}",
        style=_web("page.css"),
        navigation="".join(f'<a href="#{name}">{escape(text)}</a>' for name, text in links),
        notes=f'<div class="notes">{prose(Prose(notes))}</div>' if notes else "",
        sections="".join(parts),
        made=f"prmkit {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        data="\n".join(
            f'<script type="application/gzip" id="data-{name}">{value}</script>' for name, value in data.items()
        ),
        script=script,
    )


def _web(name: str) -> str:
    return (_WEB / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """A script as a Content-Security-Policy names it."""
    return f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
