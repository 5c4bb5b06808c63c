import csv
import io
from typing import Any

from prmkit.report.blocks import Figure, Prose, Table
from prmkit.report.html import Page
from prmkit.report.sections.studies import study_section
from prmkit.report.study import lines_of, study_csv, study_markdown, study_svg, table_of

HOSTILE = "</script><script>alert(1)</script><b>|\n$x_1$"


def result(kind: str = "line", name: str = "prm") -> dict[str, Any]:
    rows = [
        {"rule": name, "n": 8, "accuracy": 81.25, "accuracy_stderr": 2.5, "accuracy_n": 250},
        {"rule": name, "n": 1, "accuracy": 43.0, "accuracy_runs": 2, "accuracy_runs_stderr": 0.5},
        {"rule": "majority", "n": 1, "accuracy": None},
        {"rule": "majority", "n": 8, "accuracy": 51.0, "accuracy_stderr": 3.0},
    ]
    return {
        "title": name,
        "scale": "synthetic",
        "rows": rows,
        "figure": {"kind": kind, "x": "n", "y": "accuracy", "series": "rule", "log": True, "leaps": []},
        "tables": {name: [{"step": name}]},
        "pairs": [{"difference": f"{name} - majority", "points": 30.25}],
        "within": [],
        "paper": {"claim": name, "rows": [{"rule": name, "accuracy": 0.5}]},
        "notes": [name],
        "cells": {"done": 3, "missing": 1, "failed": []},
        "seconds": 3.0,
    }


def test_lines_are_sorted_and_points_without_a_value_left_out() -> None:
    prm, majority = lines_of(result())
    assert prm == ("prm", [1, 8], [43.0, 81.25], [0.5, 2.5])
    assert majority == ("majority", [8], [51.0], [3.0])
    assert lines_of(result("table")) == []


def test_a_figure_stands_with_its_errors_and_the_number_of_runs() -> None:
    columns, cells = table_of(result()["rows"])
    assert columns == ["rule", "n", "accuracy"]
    assert cells == [
        ["prm", "8", "81.2 ± 2.5"],
        ["prm", "1", "43.00 ± 0.50 (2 runs)"],
        ["majority", "1", "\u2013"],
        ["majority", "8", "51.0 ± 3.0"],
    ]


def test_runs_that_agree_to_the_last_digit_are_one_figure_and_large_ones_are_short() -> None:
    rows = [
        {
            "a": 43.5,
            "a_stderr": 1.25,
            "a_runs": 8,
            "a_runs_stderr": 0.0,
            "flops": 1.5e12,
            "flops_runs": 2,
            "flops_runs_stderr": 5e8,
        }
    ]
    assert table_of(rows) == (["a", "flops"], [["43.5 ± 1.2", "1.50e+12 ± 5.00e+08 (2 runs)"]])


def test_the_csv_holds_every_column() -> None:
    rows = list(csv.DictReader(io.StringIO(study_csv(result()))))
    assert [row["accuracy_stderr"] for row in rows] == ["2.5", "", "", "3.0"]
    assert [row["accuracy_runs"] for row in rows] == ["", "2", "", ""]


def test_hostile_text_is_shown_and_not_run() -> None:
    for kind in ("line", "bar", "table"):
        fragment = Page().section(study_section(result(kind, HOSTILE)))
        assert "alert(1)</script>" not in fragment
        assert "<b>|" not in fragment
        drawn = study_svg(result(kind, HOSTILE))
        assert drawn is None or "<script>" not in drawn
    markdown = study_markdown(result(name=HOSTILE))
    assert "<script>" not in markdown
    rows = [line.replace("\\|", "") for line in markdown.splitlines() if line.startswith("| \\<")]
    assert rows
    assert {line.count("|") for line in rows} == {2, 3, 4}  # further table; pairs and the paper's values; rows


def test_the_section_has_the_figure_the_tables_and_what_is_missing() -> None:
    with_leap = result()
    with_leap["figure"]["leaps"] = [{"series": "prm", "found": True, "from": 1, "to": 8, "height": 38.25, "why": ""}]
    blocks = study_section(with_leap).blocks
    (figure,) = (block for block in blocks if isinstance(block, Figure))
    assert [(one.name, one.x, one.y, one.stderr) for one in figure.series] == [
        ("prm", [1, 8], [43.0, 81.25], [0.5, 2.5]),
        ("majority", [8], [51.0], [3.0]),
    ]
    assert (figure.x.log, figure.bands) == (True, [(1, 8)])
    tables = [block for block in blocks if isinstance(block, Table)]
    assert [table.title for table in tables] == ["", "prm", "Differences, paired over problems", "The paper's values"]
    assert (tables[0].rows[0], tables[0].texts) == (["prm", "8", "81.2 ± 2.5"], 1)
    said = [block for block in blocks if isinstance(block, Prose)]
    assert said[0].lines[1].startswith("1 runs are missing")
    assert said[0].warning


def test_the_ticks_of_a_logarithmic_axis_are_plain_numbers() -> None:
    drawn = study_svg(result())
    assert drawn is not None
    assert "mathdefault" not in drawn
    assert ">8</text>" in drawn


def test_leaps_are_told_and_marked() -> None:
    with_leap = result()
    with_leap["figure"]["leaps"] = [
        {"series": "prm", "found": True, "from": 1, "to": 8, "height": 38.25, "why": ""},
        {"series": "majority", "found": False, "height": 0.0, "why": "fewer than five points"},
    ]
    markdown = study_markdown(with_leap)
    assert "prm: a leap of 38.25 between n 1 and 8." in markdown
    assert "majority: no leap: fewer than five points." in markdown
    assert study_svg(with_leap) != study_svg(result())
