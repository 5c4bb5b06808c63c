from pathlib import Path

from prmkit.evaluate.anytime import AnytimeResult, Curve, CurvePoint
from prmkit.grade.config import GradingConfig
from prmkit.report.blocks import Figure, Heading, Section, Table
from prmkit.report.read import read_runs
from prmkit.report.sections.strategies import strategies
from tests.report.runs import comparison_run, estimate, evaluation_of, strategy_run
from tests.report.sections.found import blocks, table


def section(*folders: Path) -> Section:
    return strategies(read_runs(folders))


def test_the_differences_are_paired_over_problems_in_any_order(tmp_path: Path) -> None:
    """Of four problems beam solves three and greedy one; greedy alone solves none: +2 of 4 is +50 points."""
    beam = strategy_run(tmp_path / "beam", {"a": True, "b": True, "c": True, "d": False})
    greedy = strategy_run(tmp_path / "greedy", {"d": False, "c": False, "b": False, "a": True})
    found = section(beam, greedy)
    accuracy, differences = blocks(found, Table)
    assert [row[:3] for row in accuracy.rows] == [("beam", "75.0 ± 25.0", 4), ("greedy", "25.0 ± 25.0", 4)]
    (row,) = differences.rows
    assert row[:3] == ("beam - greedy", "+50.0 ± 28.9", "+0.0 to +100.0")
    assert row[3:] == (2, 0, "not told apart")
    bars, pairs = blocks(found, Figure)
    assert (bars.series[0].x, bars.series[0].y, bars.series[0].stderr) == (["beam", "greedy"], [75.0, 25.0], [25.0] * 2)
    assert (pairs.series[0].y, pairs.series[0].low, pairs.series[0].high) == ([50.0], [0.0], [100.0])


def test_a_worse_strategy_has_a_minus_and_a_single_problem_no_error(tmp_path: Path) -> None:
    found = section(strategy_run(tmp_path / "beam", {"a": False}), strategy_run(tmp_path / "greedy", {"a": True}))
    (row,) = table(found, "Paired differences").rows
    assert row == ("beam - greedy", "-100.0", "-100.0 to -100.0", 0, 1, "worse")
    assert blocks(found, Figure)[0].series[0].stderr == [None, None]


def test_of_many_strategies_the_differences_to_the_first_are_drawn_and_all_are_listed(tmp_path: Path) -> None:
    """Nine strategies have 36 pairs, more than a figure shows; eight are with the first."""
    found = section(comparison_run(tmp_path / "all", {f"s{number}": {"a": True, "b": False} for number in range(9)}))
    drawn = blocks(found, Figure)[1].series[0].x
    assert drawn == [f"s0 - s{number}" for number in range(1, 9)]
    assert len(table(found, "Paired differences").rows) == 36


def test_groups_on_different_problems_stand_apart_under_their_benchmarks(tmp_path: Path) -> None:
    runs = [
        strategy_run(tmp_path / f"{name}-{benchmark}", {benchmark: True}, benchmark=benchmark)
        for benchmark in ("math", "code")
        for name in ("beam", "dvts")
    ]
    found = section(*runs)
    assert blocks(found, Heading) == [Heading("math"), Heading("code")]
    assert [row[0] for each in blocks(found, Table) for row in each.rows if " - " in str(row[0])] == [
        "beam-math - dvts-math",
        "beam-code - dvts-code",
    ]


def test_a_search_alone_is_compared_with_nothing(tmp_path: Path) -> None:
    assert section(strategy_run(tmp_path / "beam", {"a": True})).blocks == []


def test_curves_over_budgets_are_drawn_of_the_whole_and_of_a_strategy(tmp_path: Path) -> None:
    point = CurvePoint(
        generations=4, generated_tokens=0, total_tokens=0, flops=None, seconds=0.0, accuracy=estimate(0.25, 0.125)
    )
    curve = Curve(strategy="beam", kind="point", rule="best", aggregation="last", points=[point])
    result = AnytimeResult(curves={"beam": curve}, grading=GradingConfig())
    run = comparison_run(tmp_path / "both", {"beam": {"a": True}})
    for folder in (run, run / "beam"):
        evaluation_of(folder, result, stage="evaluate-anytime", folder="anytime")
    found = section(run)
    assert blocks(found, Heading) == [
        Heading("Accuracy against budget, both"),
        Heading("Accuracy against budget, beam"),
    ]
    assert [(each.title, each.series[0].y) for each in blocks(found, Figure)] == [
        ("Accuracy by generations a problem, both", [25.0]),
        ("Accuracy by generations a problem, beam", [25.0]),
    ]
