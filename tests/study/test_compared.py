import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
import pytest

from prmkit.errors import InputError
from prmkit.grade.config import GradingConfig
from prmkit.run.results import write_result
from prmkit.search.result import COSTS, ProblemCost, SearchResult
from prmkit.session.ledger import Ledger
from prmkit.stats import mean
from prmkit.study.compared import pairs_of, within_limits
from prmkit.study.grid import Grid
from prmkit.study.recipe import PairsConfig, WithinConfig
from tests.study.studies import grid_at, record, write_study

STUDY = """\
# prmkit study study.yaml
stage: study
title: Strategies
axes: {domain: [math, code], strategy: [majority, best-of-n, greedy]}
runs:
  search: {recipe: "synthetic/search-{domain}", set: {strategy.name: "{strategy}"}}
result:
  rows: [{columns: {strategy: "{strategy}", accuracy: {of: search, at: accuracy}}}]
scales: {synthetic: {}}
"""
PAIRS = PairsConfig(of="search", by="strategy")


@pytest.fixture
def grid(tmp_path: Path) -> Grid:
    return grid_at(write_study(tmp_path, STUDY), out=str(tmp_path / "out"))


def searched(
    grid: Grid,
    domain: str,
    strategy: str,
    right: Sequence[int],
    *,
    grading: GradingConfig | None = None,
    problems: str = "p",
) -> None:
    """Make a search done that has solved the problems which are 1."""
    point: Mapping[str, str] = {"domain": domain, "strategy": strategy}
    cell = grid.cell("search", point)
    cell.folder.mkdir(parents=True)
    costs = [
        ProblemCost(
            problem=f"{problems}{number}",
            right=bool(each),
            exhausted=False,
            generations=1,
            generated_tokens=1,
            total_tokens=1,
            flops=None,
            seconds=1.0,
        )
        for number, each in enumerate(right)
    ]
    (cell.folder / COSTS).write_bytes(b"".join(orjson.dumps(each.as_json()) + b"\n" for each in costs))
    result = SearchResult(
        benchmark=f"synthetic-{domain}",
        strategy=strategy,
        accuracy=mean([float(each) for each in right]),
        unanswered=0,
        exhausted=0,
        seconds=1.0,
        ledger=Ledger(),
        grading=grading or GradingConfig(),
    )
    write_result(cell.folder / "metrics.json", result)
    record(grid, "search", point, result.as_json())


def test_strategies_are_paired_over_problems_at_each_place_on_the_other_axes(grid: Grid) -> None:
    searched(grid, "math", "majority", [1, 1, 1, 0])
    searched(grid, "math", "best-of-n", [1, 0, 0, 0])
    searched(grid, "code", "majority", [0, 0])
    searched(grid, "code", "best-of-n", [1, 1])
    searched(grid, "code", "greedy", [1, 1])
    first, *rest = pairs_of(grid, PAIRS)
    # Over the problems 0, 1, 1, 0: half of them, with sd sqrt(1/3) over 4 problems.
    assert (first["domain"], first["difference"], first["points"]) == ("math", "majority - best-of-n", 50.0)
    assert first["stderr"] == pytest.approx(100 * math.sqrt(1 / 3) / 2)
    assert 0 <= first["low"] < 50 < first["high"] <= 100
    same = {"points": 0.0, "stderr": 0.0, "low": 0.0, "high": 0.0}
    worse = {"points": -100.0, "stderr": 0.0, "low": -100.0, "high": -100.0}
    assert rest == [
        {"domain": "code", "difference": "majority - best-of-n", **worse},
        {"domain": "code", "difference": "majority - greedy", **worse},
        {"domain": "code", "difference": "best-of-n - greedy", **same},
    ]


def test_the_error_of_one_problem_is_unknown_and_one_search_has_no_pair(grid: Grid) -> None:
    assert list(pairs_of(grid, PAIRS)) == []
    searched(grid, "math", "majority", [1])
    assert list(pairs_of(grid, PAIRS)) == []
    searched(grid, "math", "greedy", [0])
    (row,) = pairs_of(grid, PAIRS)
    assert (row["difference"], row["points"], row["stderr"]) == ("majority - greedy", 100.0, None)


def test_a_search_without_its_costs_is_left_out(grid: Grid) -> None:
    searched(grid, "math", "majority", [1])
    searched(grid, "math", "greedy", [0])
    (grid.cell("search", {"domain": "math", "strategy": "greedy"}).folder / COSTS).unlink()
    assert list(pairs_of(grid, PAIRS)) == []


def test_searches_that_were_judged_differently_are_refused_and_both_are_named(grid: Grid) -> None:
    searched(grid, "math", "majority", [1, 0])
    searched(grid, "math", "greedy", [1, 1], grading=GradingConfig(grader="qwen"))
    with pytest.raises(
        InputError,
        match="greedy: the runs were judged differently, got 'grader qwen, vote behaviour'; "
        "expected grader math-verify, vote behaviour, as majority",
    ):
        list(pairs_of(grid, PAIRS))


def test_searches_at_different_places_may_be_judged_differently(grid: Grid) -> None:
    for domain, grading in (("math", GradingConfig(grader="qwen")), ("code", GradingConfig(vote="text"))):
        for strategy in ("majority", "greedy"):
            searched(grid, domain, strategy, [1, 0], grading=grading)
    assert [(row["domain"], row["points"]) for row in pairs_of(grid, PAIRS)] == [("math", 0.0), ("code", 0.0)]


def test_searches_of_other_problems_are_refused(grid: Grid) -> None:
    searched(grid, "math", "majority", [1, 0])
    searched(grid, "math", "greedy", [1, 1], problems="q")
    with pytest.raises(InputError, match="the runs searched different problems, got 'greedy'; expected those of maj"):
        list(pairs_of(grid, PAIRS))


ROWS = [
    {"strategy": "best-of-n", "n": 4, "seconds": 0.1, "accuracy": 60.0},
    {"strategy": "best-of-n", "n": 16, "seconds": 0.4, "accuracy": 70.0},
    {"strategy": "mcts", "n": 4, "seconds": 0.3, "accuracy": 55.0},
    {"strategy": "mcts", "n": 16, "seconds": None, "accuracy": None},
]


def test_at_a_limit_each_line_is_given_its_largest_run_that_fits() -> None:
    rows = list(within_limits(ROWS, WithinConfig(cost="seconds", limits=[0.2, 0.4]), "strategy", "accuracy"))
    assert rows == [
        {"seconds, at most": 0.2, "strategy": "best-of-n", "seconds": 0.1, "accuracy": 60.0, "n": 4},
        {"seconds, at most": 0.2, "strategy": "mcts", "seconds": None, "accuracy": None},
        {"seconds, at most": 0.4, "strategy": "best-of-n", "seconds": 0.4, "accuracy": 70.0, "n": 16},
        {"seconds, at most": 0.4, "strategy": "mcts", "seconds": 0.3, "accuracy": 55.0, "n": 4},
    ]
