from pathlib import Path
from typing import Literal

import pytest

from prmkit.report.blocks import Figure, Heading, Prose, Table
from prmkit.report.html import Page
from prmkit.report.read import read_runs
from prmkit.report.sections.studies import studies, study_section
from prmkit.report.study_result import CellCounts, LineLeap, PaperValues
from tests.report.runs import studied, train_run, with_leaps, write_run
from tests.report.sections.found import blocks

HOSTILE = "</script><script>alert(1)</script><b>|\n$x_1$"


def test_the_section_has_the_figure_the_tables_and_what_is_missing() -> None:
    leap = LineLeap(series="prm", found=True, start=1, end=8, height=38.25, why="")
    found = study_section(with_leaps(studied(), leap))
    (figure,) = blocks(found, Figure)
    assert [(one.name, one.x, one.y, one.stderr) for one in figure.series] == [
        ("prm", [1, 8], [43.0, 81.25], [0.5, 2.5]),
        ("majority", [8], [51.0], [3.0]),
    ]
    assert (figure.x.log, figure.bands) == (True, [(1, 8)])
    tables = blocks(found, Table)
    assert [table.title for table in tables] == ["", "prm", "Differences, paired over problems", "The paper's values"]
    assert (tables[0].rows[0], tables[0].texts) == (["prm", "8", "81.2 ± 2.5"], 1)
    said, paper, notes = blocks(found, Prose)
    assert said.lines[0] == "prm: a leap of 38.25 between n 1 and 8."
    assert said.lines[1].startswith("1 runs are missing")
    assert said.warning
    assert (paper.lines, notes.lines) == (["The paper: prm"], ["prm"])


def test_a_study_that_found_all_says_nothing_more() -> None:
    study = studied(cells=CellCounts(done=4, missing=0), paper=PaperValues(), notes=[], tables={}, pairs=[])
    assert [type(block) for block in study_section(study).blocks] == [Heading, Figure, Table]
    assert blocks(study_section(study), Heading) == [Heading("prm (synthetic)")]


def test_a_table_alone_has_no_figure() -> None:
    assert blocks(study_section(studied("table")), Figure) == []
    assert [one.kind for one in blocks(study_section(studied("bar")), Figure)[0].series] == ["bars", "bars"]


@pytest.mark.parametrize("kind", ["line", "bar", "table"])
def test_hostile_text_is_shown_and_not_run(kind: Literal["line", "bar", "table"]) -> None:
    fragment = Page().section(study_section(studied(kind, HOSTILE)))
    assert "alert(1)&lt;/script&gt;" in fragment
    assert "alert(1)</script>" not in fragment
    assert "<b>|" not in fragment


def test_each_study_of_a_report_is_shown_and_nothing_else(tmp_path: Path) -> None:
    runs = [
        train_run(tmp_path / "t"),
        *(write_run(tmp_path / name, "study", studied(title=name)) for name in ("a", "b")),
    ]
    assert blocks(studies(read_runs(runs)), Heading) == [Heading("a (synthetic)"), Heading("b (synthetic)")]
