import csv
import io
from typing import Literal

import pytest

from prmkit.report.study import lines_of, study_csv, study_markdown, study_svg, table_of
from prmkit.report.study_result import LineLeap
from tests.report.runs import studied, with_leaps

HOSTILE = "</script><script>alert(1)</script><b>|\n$x_1$"


def test_lines_are_sorted_and_points_without_a_value_left_out() -> None:
    prm, majority = lines_of(studied())
    assert prm == ("prm", [1, 8], [43.0, 81.25], [0.5, 2.5])
    assert majority == ("majority", [8], [51.0], [3.0])
    assert lines_of(studied("table")) == []


def test_a_figure_stands_with_its_errors_and_the_number_of_runs() -> None:
    columns, cells = table_of(studied().rows)
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
    rows = list(csv.DictReader(io.StringIO(study_csv(studied()))))
    assert [row["accuracy_stderr"] for row in rows] == ["2.5", "", "", "3.0"]
    assert [row["accuracy_runs"] for row in rows] == ["", "2", "", ""]


@pytest.mark.parametrize("kind", ["line", "bar", "table"])
def test_hostile_text_is_shown_and_not_run(kind: Literal["line", "bar", "table"]) -> None:
    drawn = study_svg(studied(kind, HOSTILE))
    assert (drawn is None) == (kind == "table")
    assert drawn is None or "<script>" not in drawn
    markdown = study_markdown(studied(kind, HOSTILE))
    assert "<script>" not in markdown
    rows = [line.replace("\\|", "") for line in markdown.splitlines() if line.startswith("| \\<")]
    assert rows
    assert {line.count("|") for line in rows} == {2, 3, 4}  # further table; pairs and the paper's values; rows


def test_the_ticks_of_a_logarithmic_axis_are_plain_numbers() -> None:
    drawn = study_svg(studied())
    assert drawn is not None
    assert "mathdefault" not in drawn
    assert ">8</text>" in drawn


def test_leaps_are_told_and_marked() -> None:
    leap = LineLeap(series="prm", found=True, start=1, end=8, height=38.25, why="")
    study = with_leaps(studied(), leap, LineLeap(series="majority", found=False, why="fewer than five points"))
    markdown = study_markdown(study)
    assert "prm: a leap of 38.25 between n 1 and 8." in markdown
    assert "majority: no leap: fewer than five points." in markdown
    assert study_svg(study) != study_svg(studied())
