import math
from pathlib import Path

import pytest

from prmkit.errors import InputError, RunError
from prmkit.study.grid import Grid
from prmkit.study.result import rows_of
from tests.study.studies import STUDY, grid_at, record, write_study


@pytest.fixture
def grid(tmp_path: Path) -> Grid:
    grid = grid_at(write_study(tmp_path), out=str(tmp_path / "out"))
    for size, seed, one, two in (("small", 1, 1.0, 3.0), ("small", 2, 2.0, 5.0), ("large", 1, 7.0, 8.0)):
        estimate = {"value": two, "stderr": seed / 10, "n": 40}
        record(grid, "stats", {"size": size, "seed": seed}, {"loss": {"1": one, "2": estimate}})
    return grid


def test_what_is_not_named_is_averaged_and_what_is_missing_is_left_open(grid: Grid) -> None:
    spread = math.sqrt(0.5 / 2)
    assert rows_of(grid)[0] == [
        {"size": "small", "k": 1, "loss": 1.5, "loss_runs": 2, "loss_runs_stderr": pytest.approx(spread)},
        {
            "size": "small",
            "k": 2,
            "loss": 4.0,
            "loss_n": 40,
            "loss_runs": 2,
            "loss_stderr": pytest.approx(0.15),
            "loss_runs_stderr": pytest.approx(1.0),
        },
        {"size": "large", "k": 1, "loss": 7.0},
        {"size": "large", "k": 2, "loss": 8.0, "loss_stderr": 0.1, "loss_n": 40},
    ]


def test_a_figure_without_any_run_is_none(tmp_path: Path) -> None:
    assert [row["loss"] for row in rows_of(grid_at(write_study(tmp_path), out=str(tmp_path / "out")))[0]] == [None] * 4


def test_a_figure_that_is_not_there_is_named_with_its_place(tmp_path: Path, grid: Grid) -> None:
    record(grid, "stats", {"size": "small", "seed": 1}, {"losses": {"1": 0}})
    with pytest.raises(
        InputError, match=r"study.yaml:19: the run's result has no such figure, got 'loss.1'; .*losses\?"
    ):
        rows_of(grid)
    record(grid, "stats", {"size": "small", "seed": 1}, {"loss": 3.0})
    with pytest.raises(InputError, match="expected nothing below 1"):
        rows_of(grid)


def test_a_broken_record_is_named(grid: Grid) -> None:
    broken = grid.cell("stats", {"size": "small", "seed": 1}).record
    broken.write_text('{"seconds": 1.0')
    with pytest.raises(RunError, match=r"the record of the cell is broken\. Remove it"):
        rows_of(grid)


def test_each_item_of_a_list_makes_a_row_and_history_is_read_beside(tmp_path: Path) -> None:
    text = STUDY.replace(
        '    - columns: {size: "{size}", k: "{k}", loss: {of: stats, at: "loss.{k}"}}',
        "    - {each: {of: train, at: table}, where: {kept: 1}, "
        "columns: {pair: {at: name}, mean: {at: mean, times: 100}, last: {of: train, at: history.-1.loss}}}",
    ).replace("x: k\n  y: loss\n  series: size", "x: pair\n  y: mean")
    grid = grid_at(write_study(tmp_path, text), "small", out=str(tmp_path / "out"))
    for size, mean in (("small", 0.5), ("large", 0.7)):
        record(
            grid,
            "train",
            {"size": size, "seed": 3},
            {
                "table": [
                    {"name": name, "mean": value, "kept": kept}
                    for name, value, kept in (("a", mean, 1), ("b", 0, 1), ("c", 9, 0))
                ]
            },
        )
        folder = grid.cell("train", {"size": size, "seed": 3}).folder
        folder.mkdir()
        (folder / "history.csv").write_text("step,loss\n1.0,9\n2.0,0.25\n")
    rows, _ = rows_of(grid)
    assert [(row["pair"], row["mean"], row["last"]) for row in rows] == [("a", pytest.approx(60), 0.25), ("b", 0, 0.25)]
    assert rows[0]["mean_runs"] == 2


def test_an_error_that_stands_apart_is_read_beside(tmp_path: Path) -> None:
    text = STUDY.replace('at: "loss.{k}"', 'at: "loss.{k}", error: apart, times: 100')
    grid = grid_at(write_study(tmp_path, text), out=str(tmp_path / "out"))
    record(grid, "stats", {"size": "small", "seed": 1}, {"loss": {"1": 0.5, "2": 0.25}, "apart": 0.125})
    first, *_ = rows_of(grid)[0]
    assert first == {"size": "small", "k": 1, "loss": 50.0, "loss_stderr": 12.5}
