from pathlib import Path

import pytest

from prmkit.grade.config import GradingConfig
from prmkit.report.read import read_runs
from prmkit.report.sections.pairing import benchmark_of, groups_of, one_benchmark, refusals
from tests.report.runs import search_run, strategy_run, train_run


def test_searches_of_the_same_problems_are_one_group_whatever_else_is_reported(tmp_path: Path) -> None:
    runs = [
        strategy_run(tmp_path / "beam", {"a": True, "b": False}),
        train_run(tmp_path / "train"),
        strategy_run(tmp_path / "dvts", {"b": True, "a": True}),
        search_run(tmp_path / "other"),
    ]
    groups = groups_of(read_runs(runs))
    assert [[run.name for run in group] for group in groups] == [["beam", "dvts"], ["other"]]


def test_a_search_without_costs_has_nothing_to_pair(tmp_path: Path) -> None:
    run = strategy_run(tmp_path / "beam", {"a": True})
    (run / "costs.jsonl").unlink()
    assert groups_of(read_runs([run])) == []


def test_without_trees_problems_are_known_by_their_ids(tmp_path: Path) -> None:
    runs = [strategy_run(tmp_path / name, {"a": True}, prompt=name) for name in ("beam", "dvts")]
    assert len(groups_of(read_runs(runs))) == 2
    for run in runs:
        (run / "trees.jsonl").unlink()
    assert len(groups_of(read_runs(runs))) == 1


@pytest.mark.parametrize(
    ("right", "prompt", "grading", "reason"),
    [
        ({"a": True, "z": True}, "?", GradingConfig(), "they searched 2 and 2 problems, of which both have 1"),
        (
            {"a": True, "b": True},
            "!",
            GradingConfig(),
            "2 of the 2 problem ids that both have name different texts or answers",
        ),
        (
            {"a": True, "b": True},
            "?",
            GradingConfig(grader="qwen"),
            "they were judged differently, by grader math-verify, vote behaviour and by grader qwen, vote behaviour",
        ),
    ],
)
def test_why_two_groups_are_not_paired(
    tmp_path: Path, right: dict[str, bool], prompt: str, grading: GradingConfig, reason: str
) -> None:
    one = strategy_run(tmp_path / "one", {"a": True, "b": False})
    other = strategy_run(tmp_path / "other", right, prompt=prompt, grading=grading)
    groups = groups_of(read_runs([one, other]))
    assert refusals(groups) == [f"one and other are not compared: {reason}."]
    assert one_benchmark(groups)


def test_groups_without_a_common_problem_are_named_together(tmp_path: Path) -> None:
    runs = [strategy_run(tmp_path / name, {name: True}, benchmark=f"of {name}") for name in ("a", "b", "c")]
    groups = groups_of(read_runs(runs))
    assert refusals(groups) == ["Not compared, for they have no problem in common: a (of a); b (of b); c (of c)."]
    assert not one_benchmark(groups)


def test_a_run_without_a_benchmark_stands_for_itself(tmp_path: Path) -> None:
    (run,) = read_runs([train_run(tmp_path / "t")])
    assert benchmark_of(run) == "t"
