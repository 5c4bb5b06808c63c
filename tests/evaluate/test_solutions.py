import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.reselection import accuracy_of
from prmkit.evaluate.solutions import Solution, Solutions, groups_of, samples_of, solutions_in
from prmkit.tree import ROOT, Problem, Reads, StepTree
from prmkit.trees_io import read_trees, write_trees
from tests.session.test_init import AGGREGATED, thinking

PROBLEM = Problem(id="p", prompt="?", answer="4")


def test_the_solutions_of_a_tree_come_in_the_order_of_writing_with_those_that_were_only_paid_for() -> None:
    tree = StepTree(PROBLEM, meta={"generations": "4"})
    first = tree.add(ROOT, "begin", score=0.5)
    tree.add(ROOT, "#### 5", score=0.25, finish="eos")
    tree.add(first, "#### 4", score=0.75, finish="eos")
    tree.add(first, "and so", finish="length")
    found = solutions_in(tree)
    assert [(each.text, each.leaf, each.finished) for each in found.solutions] == [
        ("#### 5", 1, True),
        ("begin\n#### 4", 2, True),
        ("begin\nand so", 3, False),
    ]
    assert [each.step_scores for each in found.solutions] == [(0.25,), (0.5, 0.75), (0.5, None)]
    assert found.unwritten == 1
    assert [each.leaf for each in found.finished] == [1, 2]


def test_a_solution_without_any_score_says_so() -> None:
    tree = StepTree(PROBLEM)
    tree.add(ROOT, "#### 4", finish="eos")
    (only,) = solutions_in(tree).solutions
    assert (only.step_scores, only.has_score, only.scored("min")) == ((), False, None)


@pytest.mark.parametrize("reads", AGGREGATED)
def test_saved_solutions_are_scored_by_the_steps_that_the_prm_read_as_in_the_search(
    reads: Reads, tmp_path: Path
) -> None:
    session, _ = thinking(reads)
    asyncio.run(session.score([3]))
    write_trees(tmp_path / "trees.jsonl", [session.tree])
    (tree,) = read_trees(tmp_path / "trees.jsonl")
    (only,) = solutions_in(tree).solutions
    assert (only.text, only.unread) == ("a0\na1", False)
    assert {how: only.scored(how) for how in AGGREGATED[reads]} == pytest.approx(AGGREGATED[reads])
    judged = solutions_in(tree).judged([0], [True])
    assert samples_of(judged, "mean").scores == (pytest.approx(AGGREGATED[reads]["mean"]),)


def test_a_solution_of_which_nothing_is_read_counts_as_the_least_where_others_are_scored() -> None:
    tree = StepTree(PROBLEM)
    tree.add(ROOT, "#### 5", finish="eos")  # without a thought
    tree.add(tree.add(ROOT, "think", score=0.25, thought=True), "#### 4", finish="eos")
    tree.note_reads("thought")
    found = solutions_in(tree)
    assert [(each.unread, each.has_score, each.scored("last")) for each in found.solutions] == [
        (True, False, None),
        (False, True, 0.25),
    ]
    assert samples_of(found.judged([0, 1], [False, True]), "last").scores == (0.0, 0.25)
    # By the rules of a search it takes no part.
    assert accuracy_of(found.judged([0, 1], [True, False]).finished, "best", "last") == 0.0


@pytest.mark.parametrize(
    ("solution", "how", "score"),
    [
        (Solution(text="", step_scores=(0.5, 0.25)), "last", 0.25),
        (Solution(text="", step_scores=(0.5, 0.25)), "prod", 0.125),
        (Solution(text="", step_scores=(0.5, None)), "last", None),
        (Solution(text="", score=3.5), "last", 3.5),
        (Solution(text=""), "last", None),
    ],
)
def test_the_score_of_the_whole(solution: Solution, how: str, score: float | None) -> None:
    assert solution.scored(how) == score  # type: ignore[arg-type]


def test_only_finished_solutions_are_judged() -> None:
    cut = Solution(text="a", finished=False)
    found = Solutions(problem=PROBLEM, solutions=(cut, Solution(text="b"), Solution(text="c")))
    judged = found.judged([1, None], [True, False])
    assert [(each.answer, each.right) for each in judged.solutions] == [(None, False), (1, True), (None, False)]
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        found.judged([1, None], [True])


def test_verdicts_by_base_tests_go_with_the_others_and_what_is_unfinished_or_unwritten_has_none() -> None:
    cut = Solution(text="a", finished=False)
    found = Solutions(problem=PROBLEM, solutions=(cut, Solution(text="b"), Solution(text="c")), unwritten=1)
    judged = found.judged([0, 1], [True, False], [True, True])
    assert judged.tells_base
    assert samples_of(judged, None).base == (False, True, True, False)
    assert samples_of(judged, None).correct == (False, True, False, False)
    assert samples_of(found.judged([0, 1], [True, False]), None).base is None
    assert samples_of(replace(found, solutions=(cut,)).judged([], [], []), None).base == (False, False)


def test_samples_count_what_is_unfinished_or_unwritten_as_lost() -> None:
    solutions = (
        Solution(text="a", finished=False, step_scores=(0.9,)),
        Solution(text="b", step_scores=(0.5, 0.25), answer=0, right=True),
    )
    judged = Solutions(problem=PROBLEM, solutions=solutions, unwritten=1, groups={"level": "3"})
    samples = samples_of(judged, "last")
    assert (samples.scores, samples.classes, samples.correct) == (
        (0.0, 0.25, 0.0),
        (None, 0, None),
        (False, True, False),
    )
    assert samples.groups == {"level": "3"}
    assert samples_of(judged, None).scores == (0.0, 0.0, 0.0)


def test_a_solution_without_an_end_never_wins_also_where_scores_are_below_zero() -> None:
    logits = (
        Solution(text="a", finished=False, score=9.0),
        Solution(text="b", score=-3.5),
        Solution(text="c", score=2),
    )
    judged = Solutions(problem=PROBLEM, solutions=logits, unwritten=1)
    assert samples_of(judged, "last").scores == (-4.5, -3.5, 2.0, -4.5)


def test_a_finished_solution_without_a_score_is_refused_where_scores_count() -> None:
    judged = Solutions(problem=PROBLEM, solutions=(Solution(text="a", leaf=7),), where="p")
    with pytest.raises(InputError, match="p: a step has no score, got 7"):
        samples_of(judged, "last")


def test_figures_are_told_apart_by_what_is_known_of_a_problem() -> None:
    assert groups_of(PROBLEM) == {"domain": "math"}
    known = replace(PROBLEM, level="5", subject="Algebra")
    assert groups_of(known) == {"level": "5", "subject": "Algebra", "domain": "math"}
