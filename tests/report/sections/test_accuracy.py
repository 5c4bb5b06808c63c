from pathlib import Path

from prmkit.evaluate.compare import Comparison
from prmkit.evaluate.contamination import Contamination
from prmkit.evaluate.curves import Curves
from prmkit.evaluate.reselection import Reselection, SelectionResult
from prmkit.grade.config import GradingConfig
from prmkit.report.blocks import Figure, Prose, Section
from prmkit.report.read import read_runs
from prmkit.report.sections.accuracy import accuracy
from tests.report.runs import (
    UNKNOWN,
    changed,
    comparison_run,
    estimate,
    evaluated,
    evaluation_of,
    search_run,
    train_run,
)
from tests.report.sections.found import blocks, figure, table


def section(*folders: Path) -> Section:
    return accuracy(read_runs(folders))


def test_the_rules_stand_in_per_cent_with_their_difference_to_one_sample(tmp_path: Path) -> None:
    rows = table(section(search_run(tmp_path / "s")), "Selection rules").rows
    assert rows == [
        ("s (synthetic-math)", "pass@1", "70.0 ± 1.0", "\u2013"),
        ("s (synthetic-math)", "maj@4", "50.0 ± 1.0", "\u2013"),
        ("s (synthetic-math)", "prm@4", "70.0 ± 1.0", "20.0 ± 5.0"),
        ("s (synthetic-math)", "pass@4", "70.0 ± 1.0", "\u2013"),
    ]


def test_pass_at_k_by_the_base_tests_alone_stands_below_that_by_all_tests(tmp_path: Path) -> None:
    found = evaluated(base={"pass@1": estimate(0.75), "pass@4": estimate(0.875)})
    rows = table(section(search_run(tmp_path / "s", evaluation=found)), "Selection rules").rows
    assert [(row[1], row[2]) for row in rows] == [
        ("pass@1", "70.0 ± 1.0"),
        ("pass@1, base tests alone", "75.0 ± 1.0"),
        ("maj@4", "50.0 ± 1.0"),
        ("prm@4", "70.0 ± 1.0"),
        ("pass@4", "70.0 ± 1.0"),
        ("pass@4, base tests alone", "87.5 ± 1.0"),
    ]


def test_curves_are_drawn_where_there_are_several_numbers_of_samples(tmp_path: Path) -> None:
    drawn = figure(section(search_run(tmp_path / "s")), "Accuracy by samples, s")
    assert [series.name.partition("@")[0] for series in drawn.series] == ["pass", "maj", "prm"]
    assert (drawn.series[1].x, drawn.series[1].y, drawn.series[1].stderr) == ([1, 2, 4], [50.0] * 3, [1.0] * 3)
    one = Curves(k=[1], pass_=[estimate(0.5)], maj=[estimate(0.5)])
    found = section(search_run(tmp_path / "one", evaluation=evaluated(curves=one, groups={})))
    assert blocks(found, Figure) == []


def test_a_rule_that_not_every_group_has_leaves_a_gap(tmp_path: Path) -> None:
    """Some problems of level 2 have more samples than the fewest: there the weighted vote was not computed."""
    first = {"pass@1": estimate(0.5, n=3), "pass@4": estimate(0.75), "weighted@4": estimate(0.25, UNKNOWN)}
    second = {"pass@1": estimate(0.5, n=7), "pass@4": estimate(UNKNOWN, UNKNOWN)}
    found = section(search_run(tmp_path / "s", evaluation=evaluated(groups={"level": {"1": first, "2": second}})))
    drawn = figure(found, "Accuracy by level, s")
    assert drawn.caption == "1: 3 problems, 2: 7 problems"
    assert [(one.name, one.x, one.y, one.stderr) for one in drawn.series] == [
        ("pass@4", ["1", "2"], [75.0, None], [1.0, None]),
        ("weighted@4", ["1", "2"], [25.0, None], [None, None]),
    ]


def test_a_comparison_stands_in_points_with_its_interval(tmp_path: Path) -> None:
    row = Comparison(
        rule="prm@4", difference=estimate(0.125, 0.0625), low=-0.0125, high=0.25, better=30, worse=5, mcnemar=0.0001234
    )
    found = section(search_run(tmp_path / "s", evaluation=evaluated(comparison=[row])))
    shown = table(found, "s less the run it was compared with")
    assert shown.columns[1:3] == ("difference, points", "95 % interval")
    assert shown.rows == [("prm@4", "12.5 ± 6.2", "-1.2 to +25.0", 30, 5, "0.000123")]


def test_problems_that_a_corpus_has_seen_are_a_warning(tmp_path: Path) -> None:
    seen = Contamination(corpus="c.jsonl", seen=2, of=200, problems=[])
    none = changed(seen, seen=0)
    for name, found, warning in (("a", seen, True), ("b", none, False)):
        run = search_run(tmp_path / name, evaluation=evaluated(contamination=found))
        line = f"{found.seen} of 200 problems have been seen in c.jsonl."
        assert blocks(section(run), Prose) == [Prose([line], warning=warning)]


def test_answers_chosen_again_are_shown_of_a_whole_comparison_and_of_its_strategies(tmp_path: Path) -> None:
    rows = [
        Reselection(strategy="beam", rule="majority", aggregation=None, accuracy=estimate(0.5, 0.25, 8)),
        Reselection(strategy="beam", rule="best", aggregation="min", accuracy=estimate(0.75, UNKNOWN, 8)),
    ]
    result = SelectionResult(selection=rows, grading=GradingConfig())
    run = comparison_run(tmp_path / "both", {"beam": {"p": True}})
    evaluation_of(run, result, stage="evaluate-selection", folder="selection")
    evaluation_of(run / "beam", result, stage="evaluate-selection", folder="selection")
    found = section(run)
    assert [block.title for block in found.blocks] == [  # type: ignore[union-attr]
        "Every rule and aggregation, both",
        "Every rule and aggregation, beam",
    ]
    assert table(found, "Every rule and aggregation, both").rows == [
        ("beam", "majority", None, "50.0 ± 25.0", 8),
        ("beam", "best", "min", "75.0", 8),
    ]


def test_runs_that_were_not_evaluated_have_no_accuracy(tmp_path: Path) -> None:
    assert section(train_run(tmp_path / "t")).blocks == []
