import pytest
from prmkit.evaluate.select import Solution, accuracy_of, select, solutions

from prmkit.errors import InputError
from prmkit.tree import ROOT, Problem, StepTree


def tree(answers: list[tuple[str, list[float]]], name: str = "p") -> StepTree:
    """Solutions whose last step states an answer, with the scores of their steps. The right answer is 4."""
    found = StepTree(Problem(id=name, prompt="?", answer="4"))
    for answer, scores in answers:
        node = ROOT
        for index, score in enumerate(scores):
            last = index == len(scores) - 1
            text = f"#### {answer}" if last else f"step {index}"
            node = found.add(node, text, score=score, finish="eos" if last else "stop")
    return found


def test_every_rule_by_hand() -> None:
    # Right: (.2, .9). Wrong, 5: (.8, .8) and 5: (.1, .1). By last right wins with .9, by min wrong with .8.
    # Weighted by last: .9 against .9, a tie; by min .2 against .9.
    rows = {(row["rule"], row["aggregation"]): row["accuracy, %"] for row in select([tree(ANSWERS)])}
    assert rows["majority", ""] == 0.0
    assert rows["best", "last"] == 100.0
    assert rows["best", "min"] == 0.0
    assert rows["best", "mean"] == 0.0  # .55 against .8
    assert rows["weighted", "last"] == 50.0
    assert rows["weighted", "min"] == 0.0
    assert len(rows) == 11


ANSWERS = [("4", [0.2, 0.9]), ("5", [0.8, 0.8]), ("5", [0.1, 0.1])]


def test_errors_come_with_the_accuracies() -> None:
    rows = select([tree(ANSWERS), tree([("5", [0.5])], name="q")])
    best = next(row for row in rows if (row["rule"], row["aggregation"]) == ("best", "last"))
    # 100 and 0: standard deviation 70.7, over sqrt(2).
    assert (best["accuracy, %"], best["stderr"], best["problems"]) == (50.0, pytest.approx(50.0), 2)


def test_unfinished_solutions_do_not_take_part() -> None:
    found = tree([("5", [0.3])])
    found.add(ROOT, "#### 4", score=0.9, finish="length")
    assert [solution.leaf for solution in solutions(found)] == [0]
    assert accuracy_of(solutions(found), "best", "last") == 0.0


def test_solutions_without_scores_vote_only_where_none_has_any() -> None:
    right, wrong = Solution(0, (), 0, True), Solution(1, (0.1,), 1, False)
    assert accuracy_of([right, wrong], "best", "last") == 0.0
    assert accuracy_of([right], "best", "last") == 1.0
    assert accuracy_of([], "majority", None) == 0.0


def test_no_tree_is_an_error() -> None:
    with pytest.raises(InputError, match="no tree to select from"):
        select([])
