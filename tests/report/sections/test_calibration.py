from pathlib import Path

import pytest

from prmkit.report.blocks import Figure, Heading, Prose, Section
from prmkit.report.read import read_runs
from prmkit.report.sections.calibration import calibration
from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import write_trees
from tests.report.runs import calibrated, changed, evaluated, search_run, steps_run
from tests.report.sections.found import blocks, figure, table


def section(*folders: Path) -> Section:
    return calibration(read_runs(folders))


def test_reliability_has_binomial_errors_and_the_share_of_each_bin(tmp_path: Path) -> None:
    found = section(search_run(tmp_path / "s"))
    said = "Of the final score of a solution: Brier score 0.100 ± 0.020, expected calibration error 0.250."
    assert blocks(found, Prose) == [Prose([said])]
    perfect, right, share = figure(found, "Reliability, s").series
    assert perfect.reference
    assert (right.x, right.y) == ([0.55], [0.75])
    assert right.stderr == [pytest.approx((0.75 * 0.25 / 4) ** 0.5)]
    assert (share.x, share.y) == ([pytest.approx(0.55)], [1.0])


def test_positions_are_drawn_and_listed_where_there_are_several(tmp_path: Path) -> None:
    found = section(search_run(tmp_path / "s"))
    assert figure(found, "Scores by position of the step, s").series[0].x == ["1", "10+"]
    rows = table(found, "By position of the step").rows
    assert rows[0] == ("1", 2, "0.550", "0.750", "0.100", "0.200")
    one = changed(calibrated(), by_position=calibrated().by_position[:1])
    single = section(search_run(tmp_path / "one", evaluation=evaluated(calibration=one)))
    assert "Scores by position of the step, one" not in [each.title for each in blocks(single, Figure)]


def test_a_prm_on_labelled_steps_is_calibrated_by_steps(tmp_path: Path) -> None:
    found = section(steps_run(tmp_path / "steps"))
    assert blocks(found, Heading) == [Heading("steps")]
    (prose,) = blocks(found, Prose)
    assert prose.lines[0].startswith("Of the score of a step: Brier score 0.100")
    assert "Scores of right and wrong solutions, steps" not in [each.title for each in blocks(found, Figure)]


def test_scores_of_right_and_wrong_solutions_are_those_of_finished_ones_as_they_were_aggregated(tmp_path: Path) -> None:
    """By min: 0.25 of the right one, 0.05 of the wrong one; the unfinished one and that without a score have none."""
    run = search_run(
        tmp_path / "s", evaluation=evaluated(aggregation="min", correct={"p": [True, False, False, False]})
    )
    tree = StepTree(Problem(id="p", prompt="?", answer="4"))
    first = tree.add(ROOT, "first", score=0.25)
    tree.add(first, "4", score=0.9, finish="eos")
    tree.add(first, "5", score=0.05, finish="eos")
    tree.add(first, "cut", score=0.5, finish="length")
    tree.add(first, "unscored", finish="eos")
    (run / "trees.jsonl").unlink()
    write_trees(run / "trees.jsonl", [tree])
    right, wrong = figure(section(run), "Scores of right and wrong solutions, s").series
    assert [(at, count) for at, count in enumerate(right.y) if count] == [(5, 1.0)]  # of 20 bins, [0.25, 0.3)
    assert [(at, count) for at, count in enumerate(wrong.y) if count] == [(1, 1.0)]


def test_final_scores_are_those_of_the_steps_that_the_prm_read(tmp_path: Path) -> None:
    """By min over the answers alone: 0.75 of the right one, 0.55 of the wrong one; nothing is read of the third."""
    run = search_run(tmp_path / "s", evaluation=evaluated(aggregation="min", correct={"p": [True, False, False]}))
    tree = StepTree(Problem(id="p", prompt="?", answer="4"))
    tree.note_reads("answer")
    first = tree.add(ROOT, "thought", thought=True)
    tree.add(first, "4", score=0.75, finish="eos")
    tree.add(first, "5", score=0.55, finish="eos")
    tree.add(first, "thought on", thought=True, finish="eos")
    (run / "trees.jsonl").unlink()
    write_trees(run / "trees.jsonl", [tree])
    right, wrong = figure(section(run), "Scores of right and wrong solutions, s").series
    assert [(at, count) for at, count in enumerate(right.y) if count] == [(15, 1.0)]
    assert [(at, count) for at, count in enumerate(wrong.y) if count] == [(11, 1.0)]


def test_scores_that_are_no_probabilities_have_no_calibration(tmp_path: Path) -> None:
    assert section(search_run(tmp_path / "s", evaluation=evaluated(calibration=None))).blocks == []
