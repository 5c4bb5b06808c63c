from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.report.blocks import Figure, Prose, Section, Table
from prmkit.report.read import read_runs
from prmkit.report.sections.overview import overview, warnings
from prmkit.report.sections.strategies import strategies
from tests.report.runs import comparison_run, strategy_run, write_run


def section(*folders: Path) -> Section:
    return strategies(read_runs(folders))


def blocks(found: Section, kind: type) -> list:  # type: ignore[type-arg]
    return [block for block in found.blocks if isinstance(block, kind)]


def test_the_differences_are_paired_over_problems_in_any_order(tmp_path: Path) -> None:
    """Of four problems beam solves three and greedy one; greedy alone solves none: +2 of 4 is +50 points."""
    beam = strategy_run(tmp_path / "beam", {"a": True, "b": True, "c": True, "d": False})
    greedy = strategy_run(tmp_path / "greedy", {"d": False, "c": False, "b": False, "a": True})
    found = section(beam, greedy)
    accuracy, differences = blocks(found, Table)
    assert [row[:3] for row in accuracy.rows] == [("beam", "75.0 ± 25.0", 4), ("greedy", "25.0 ± 25.0", 4)]
    (row,) = differences.rows
    assert row[:2] == ("beam - greedy", "+50.0 ± 28.9")
    assert row[3:5] == (2, 0)
    bars, pairs = blocks(found, Figure)
    assert (bars.series[0].x, bars.series[0].y) == (["beam", "greedy"], [75.0, 25.0])
    assert (pairs.series[0].y, pairs.series[0].low, pairs.series[0].high) == ([50.0], [0.0], [100.0])


@pytest.mark.parametrize(
    ("right", "prompt", "reason"),
    [
        ({"a": True, "z": True}, "?", "they searched 2 and 2 problems, of which both have 1"),
        ({"a": True, "b": True}, "!", "2 of the 2 problem ids that both have name different texts or answers"),
    ],
)
def test_runs_on_different_problems_are_not_paired_and_it_is_said_why(
    tmp_path: Path, right: dict[str, bool], prompt: str, reason: str
) -> None:
    one = strategy_run(tmp_path / "one", {"a": True, "b": False})
    other = strategy_run(tmp_path / "other", right, prompt=prompt)
    assert section(one, other).blocks == []
    assert (
        Prose([f"one and other are not compared: {reason}."], warning=True) in overview(read_runs([one, other])).blocks
    )


def test_runs_without_a_common_problem_are_named_together(tmp_path: Path) -> None:
    """Only where the benchmark is the same would a reader expect them to be paired: else it is no warning."""
    runs = [strategy_run(tmp_path / name, {name: True}) for name in ("a", "b", "c")]
    line = "Not compared, for they have no problem in common: a (b); b (b); c (b)."
    assert Prose([line], warning=True) in overview(read_runs(runs)).blocks
    for run in runs:
        metrics = (run / "metrics.json").read_text().replace('"benchmark":"b"', f'"benchmark":"of {run.name}"')
        (run / "metrics.json").write_text(metrics)
    line = "Not compared, for they have no problem in common: a (of a); b (of b); c (of c)."
    assert Prose([line]) in overview(read_runs(runs)).blocks


def test_a_comparison_is_one_run_with_members(tmp_path: Path) -> None:
    run = comparison_run(tmp_path / "both", {"beam": {"a": True}, "greedy": {"a": False}}, named=["mcts"])
    (read,) = read_runs([run])
    assert [member.name for member in read.members] == ["beam", "greedy"]
    assert "beam - greedy" in str(section(run).blocks)
    (warning,) = warnings([read])
    assert isinstance(warning, Prose)
    assert warning.lines[0] == f"{run}/mcts holds no finished run: the strategy mcts is not shown."
    assert warning.lines[1].endswith(f"prmkit search {run}/run.yaml --out {run} --resume")
    assert warning.lines[2].startswith("No evaluation.json in beam, greedy: ")
    assert warning.lines[3].endswith(f"prmkit evaluate {run} --anytime")


def test_a_folder_of_runs_is_its_finished_runs_by_age(tmp_path: Path) -> None:
    demo = write_run(tmp_path / "demo", "demo", None)
    for name, created in (("a", "2026-02"), ("b", "2026-01")):
        record = strategy_run(demo / name, {"p": True}) / "run.yaml"
        record.write_text(record.read_text().replace("created: now", f"created: {created}"))
    write_run(demo / "unfinished", "search", None)
    assert [run.name for run in read_runs([demo])] == ["b", "a"]


def test_names_are_unlike_each_other(tmp_path: Path) -> None:
    runs = [comparison_run(tmp_path / name, {"beam": {"a": True}}) for name in ("first", "second")]
    single = [strategy_run(tmp_path / place / "beam", {"a": True}) for place in ("x", "y")]
    assert [run.members[0].name for run in read_runs(runs)] == ["first/beam", "second/beam"]
    assert [run.name for run in read_runs(single)] == ["beam", "beam (2)"]


def test_a_comparison_without_a_finished_strategy_is_refused(tmp_path: Path) -> None:
    run = comparison_run(tmp_path / "none", {}, named=["beam"])
    with pytest.raises(InputError, match="no strategy of this run is finished"):
        read_runs([run])
