import pytest

from prmkit.errors import InputError
from prmkit.evaluate.judging import judge
from prmkit.evaluate.reselection import Reselection, accuracy_of, reselect
from prmkit.evaluate.solutions import Solution, solutions_in
from prmkit.grade.config import DEFAULT
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


def select(trees: list[StepTree]) -> dict[tuple[str, str | None], Reselection]:
    rows = reselect("best-of-n", [judge(solutions_in(each), DEFAULT) for each in trees])
    return {(row.rule, row.aggregation): row for row in rows}


def solutions(tree: StepTree) -> list[Solution]:
    return judge(solutions_in(tree), DEFAULT).finished


def test_every_rule_by_hand() -> None:
    # Right: (.2, .9). Wrong, 5: (.8, .8) and 5: (.1, .1). By last right wins with .9, by min wrong with .8.
    # Weighted by last: .9 against .9, a tie; by min .2 against .9.
    rows = {key: row.accuracy.value for key, row in select([tree(ANSWERS)]).items()}
    assert rows["majority", None] == 0.0
    assert rows["best", "last"] == 1.0
    assert rows["best", "min"] == 0.0
    assert rows["best", "mean"] == 0.0  # .55 against .8
    assert rows["weighted", "last"] == 0.5
    assert rows["weighted", "min"] == 0.0
    assert len(rows) == 11


ANSWERS = [("4", [0.2, 0.9]), ("5", [0.8, 0.8]), ("5", [0.1, 0.1])]


def test_errors_come_with_the_accuracies() -> None:
    best = select([tree(ANSWERS), tree([("5", [0.5])], name="q")])["best", "last"].accuracy
    # 1 and 0: standard deviation 0.707, over sqrt(2).
    assert (best.value, best.stderr, best.n) == (0.5, pytest.approx(0.5), 2)


def test_unfinished_solutions_do_not_take_part() -> None:
    found = tree([("5", [0.3])])
    found.add(ROOT, "#### 4", score=0.9, finish="length")
    assert [solution.leaf for solution in solutions(found)] == [0]
    assert accuracy_of(solutions(found), "best", "last") == 0.0


def test_solutions_without_scores_vote_only_where_none_has_any() -> None:
    right = Solution(text="", answer=0, right=True)
    wrong = Solution(text="", step_scores=(0.1,), answer=1)
    assert accuracy_of([right, wrong], "best", "last") == 0.0
    assert accuracy_of([right], "best", "last") == 1.0
    assert accuracy_of([], "majority", None) == 0.0


def test_no_tree_is_an_error() -> None:
    with pytest.raises(InputError, match="nothing to select from"):
        reselect("best-of-n", [])
