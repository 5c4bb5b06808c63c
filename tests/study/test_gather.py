import math
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.report.study_result import StudyResult
from prmkit.run.results import read_result
from prmkit.study.cell_run import CellOutcome
from prmkit.study.gather import gather
from prmkit.study.grid import Grid
from prmkit.yaml_io import read_yaml
from tests.study.studies import changed, grid_at, record, write_study


@pytest.fixture
def grid(tmp_path: Path) -> Grid:
    grid = grid_at(write_study(tmp_path), out=str(tmp_path / "out"))
    for size, seed, one, two in (("small", 1, 1.0, 3.0), ("small", 2, 2.0, 5.0), ("large", 1, 7.0, 8.0)):
        record(grid, "stats", {"size": size, "seed": seed}, {"loss": {"1": one, "2": two}})
    return grid


def test_the_result_is_written_with_its_figure_and_tables(tmp_path: Path, grid: Grid) -> None:
    folder = tmp_path / "out" / "study-synthetic"
    first = gather(grid, "synthetic", folder, {})
    again = gather(grid, "synthetic", folder, {})
    assert first == again == read_result(folder / "metrics.json", StudyResult)
    assert (first.cells.done, first.cells.missing, first.seconds) == (3, 7, 6.0)
    for name in ("run.yaml", "figure.html", "figure.svg", "table.md", "table.csv"):
        assert (folder / name).stat().st_size > 0
    assert (folder / "table.csv").read_text().splitlines()[1] == f"small,1,1.5,2,{math.sqrt(0.25)!r}"
    recorded = read_yaml(folder / "run.yaml").values["recipe"]
    assert (recorded["stage"], recorded["scale"], recorded["axes"]["k"]) == ("study", "synthetic", [1, 2])


def test_a_table_has_no_figure_and_an_old_one_goes(tmp_path: Path, grid: Grid) -> None:
    folder = tmp_path / "out" / "study-synthetic"
    gather(grid, "synthetic", folder, {})
    table = grid_at(write_study(tmp_path, changed("kind: line", "kind: table")), out=str(tmp_path / "out"))
    result = gather(table, "synthetic", folder, {})
    assert result.figure.kind == "table"
    assert not (folder / "figure.svg").exists()


def test_what_failed_in_this_call_is_kept_with_its_place_and_its_command(tmp_path: Path, grid: Grid) -> None:
    one, other = (grid.cell("stats", {"size": size, "seed": 2}) for size in ("small", "large"))
    outcomes = {
        one.name: CellOutcome(cell=one.name, state="found", seconds=2.0),
        other.name: CellOutcome(cell=other.name, state="failed", seconds=9.0, reason="no such file"),
    }
    (failed,) = gather(grid, "synthetic", tmp_path / "result", outcomes).cells.failed
    assert (failed.cell, failed.run, failed.at) == (other.name, "stats", {"size": "large", "seed": 2})
    assert (failed.state, failed.reason) == ("failed", "no such file")
    assert failed.command.startswith("prmkit data stats ")


LEAP = """\
# prmkit study study.yaml
stage: study
title: Leaps
axes: {size: [a, b], k: [7, 1, 2, 3, 4, 5, 6]}
runs: {stats: {command: [data, stats, "{size}.jsonl"]}}
result:
  kind: line
  x: k
  y: loss
  series: size
  leap: true
  rows: [{columns: {size: "{size}", k: "{k}", loss: {of: stats, at: "loss.{k}"}}}]
scales: {synthetic: {}}
"""


def test_the_leap_of_each_line_is_found_along_x_in_whatever_order_the_rows_come(tmp_path: Path) -> None:
    grid = grid_at(write_study(tmp_path, LEAP), out=str(tmp_path / "out"))
    curve = dict(zip("1234567", (40.0, 41.0, 40.0, 70.0, 76.0, 78.0, 79.0), strict=True))
    record(grid, "stats", {"size": "a"}, {"loss": curve})
    record(grid, "stats", {"size": "b"}, {"loss": {**curve, "1": None, "2": None, "3": None}})
    one, other = gather(grid, "synthetic", tmp_path / "result", {}).figure.leaps
    assert (one.series, one.found, one.start, one.end, one.height) == ("a", True, 3, 4, 30.0)
    assert (other.series, other.found, other.why) == ("b", False, "fewer than five points")
    unasked = grid_at(write_study(tmp_path, LEAP.replace("  leap: true\n", "")), out=str(tmp_path / "out"))
    assert gather(unasked, "synthetic", tmp_path / "result", {}).figure.leaps == []


def test_a_second_table_says_what_fits_into_a_limit(tmp_path: Path) -> None:
    text = changed("  rows:", "  within: {cost: k, limits: [1]}\n  rows:")
    grid = grid_at(write_study(tmp_path, text), out=str(tmp_path / "out"))
    record(grid, "stats", {"size": "small", "seed": 1}, {"loss": {"1": 0.5, "2": 0.25}})
    small, large = gather(grid, "synthetic", tmp_path / "result", {}).within
    assert small == {"k, at most": 1.0, "size": "small", "k": 1, "loss": 0.5}
    assert (large["size"], large["loss"]) == ("large", None)


def test_a_folder_that_is_no_study_is_left_as_it_is(tmp_path: Path, grid: Grid) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="the folder holds something that is not a run"):
        gather(grid, "synthetic", tmp_path / "thesis", {})
    assert [file.name for file in (tmp_path / "thesis").iterdir()] == ["thesis.tex"]


def test_a_figure_that_is_not_where_the_study_says_leaves_an_older_result(tmp_path: Path, grid: Grid) -> None:
    folder = tmp_path / "result"
    gather(grid, "synthetic", folder, {})
    before = (folder / "metrics.json").read_bytes()
    record(grid, "stats", {"size": "small", "seed": 1}, {"losses": {}})
    with pytest.raises(InputError, match="the run's result has no such figure"):
        gather(grid, "synthetic", folder, {})
    assert (folder / "metrics.json").read_bytes() == before
