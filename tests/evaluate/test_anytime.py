from typing import Any

import pytest

from prmkit.evaluate.anytime import Curve, anytime
from prmkit.evaluate.judging import judge
from prmkit.evaluate.selection import prm_at_k
from prmkit.evaluate.solutions import Solution, solutions_in
from prmkit.grade.config import DEFAULT
from prmkit.search.result import ProblemCost
from prmkit.tree import StepTree
from tests.evaluate.test_reselection import tree

COST = {"generations": 4, "generated_tokens": 40, "total_tokens": 80, "flops": None, "seconds": 2.0}


def cost(**more: Any) -> ProblemCost:
    return ProblemCost(problem="p", right=True, exhausted=False, **(COST | more))


def curve_of(trees: list[StepTree], costs: list[ProblemCost]) -> Curve:
    judged = [judge(solutions_in(each), DEFAULT) for each in trees]
    return anytime("s", judged, costs, rule="best", how="last")


def test_independent_parts_tell_the_accuracy_of_fewer() -> None:
    # Four samples, right ones scored 1st and 4th: the exact expectation is known, and the curve must agree with it.
    answers = [("4", [0.9]), ("5", [0.8]), ("5", [0.7]), ("4", [0.6])]
    found = curve_of([tree(answers)], [cost(parts=[[0], [1], [2], [3]])])
    exact = [prm_at_k([0.9, 0.8, 0.7, 0.6], [True, False, False, True], k) for k in (1, 2, 4)]
    assert found.kind == "parts"
    assert [point.generations for point in found.points] == [1, 2, 4]
    assert [point.accuracy.value for point in found.points] == pytest.approx(exact, abs=0.15)  # 64 random orders
    assert found.points[-1].accuracy.value == 1.0
    assert found.points[0].flops is None
    assert found.points[0].seconds == 0.5


def test_a_solution_is_scored_once_however_many_orders_it_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[int] = []
    score = Solution.scored
    monkeypatch.setattr(Solution, "scored", lambda self, how: scored.append(self.leaf) or score(self, how))
    curve_of([tree([("4", [0.9]), ("5", [0.8])])], [cost(parts=[[0], [1]])])
    assert scored == [0, 1]


def test_checkpoints_tell_what_was_known_then() -> None:
    answers = [("5", [0.3]), ("4", [0.9])]
    checkpoints = [
        {**COST, "generations": 1, "generated_tokens": 10, "seconds": 0.5, "leaves": [0]},
        {**COST, "generations": 3, "generated_tokens": 30, "seconds": 1.5, "leaves": [1]},
    ]
    found = curve_of([tree(answers)], [cost(checkpoints=checkpoints)])
    assert found.kind == "checkpoints"
    assert [(point.generations, point.accuracy.value) for point in found.points] == [(1, 0.0), (3, 1.0)]


def test_any_other_run_is_one_point() -> None:
    found = curve_of([tree([("4", [0.9])])], [cost()])
    assert found.kind == "point"
    assert [(point.generations, point.accuracy.value) for point in found.points] == [(4, 1.0)]
