"""The graders of PRM800K and of Qwen2.5-Math, where they differ from each other and from the default."""

import pytest

from prmkit.grade import grader_for
from prmkit.grade.math import prm800k, qwen
from prmkit.tree import Problem


@pytest.mark.parametrize(
    ("gold", "answer", "prm", "percent"),
    [
        ("1/2", "\\frac{1}{2}", True, True),
        ("\\frac{1}{2}", "\\frac12", True, True),
        ("\\frac{1}{2}", "\\frac{2}{4}", False, True),  # PRM800K: a fraction must be reduced
        ("4", "2^2", False, True),  # PRM800K: an integer must be written as one
        ("x+1", "1+x", True, True),
        ("(1,2)", "[1,2]", False, True),  # brackets count there, and not with Qwen
        ("(1,2)", "(1, 2)", True, True),
        ("(1,2)", "(2,1)", False, False),
        ("50", "0.5", False, True),  # Qwen: percent
        ("1000", "1,000", True, True),
        ("10\\text{ cm}", "10", True, True),
        ("3", "x=3", True, True),
        ("\\sqrt{3}", "\\sqrt3", True, True),
        ("3", "4", False, False),
        ("B", "The answer is (B)", False, True),
    ],
)
def test_the_presets_agree_with_their_models(gold: str, answer: str, prm: bool, percent: bool) -> None:
    assert prm800k.same(gold, answer) is prm
    assert qwen.same(gold, answer) is percent


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("so \\boxed{\\frac{1}{2}} is it", "\\frac{1}{2}"),
        ("Therefore the answer is 3.", "3"),
        ("The final answer is $5$. I hope it is correct.", "5"),
        ("16 - 3 = 13", "13"),  # a number that only stands last
        ("none", None),
    ],
)
def test_qwen_extracts_its_own_way(solution: str, answer: str | None) -> None:
    assert qwen.extract(solution) == answer


def test_a_grader_is_chosen_by_name_and_votes_with_the_same_relation() -> None:
    posed = Problem(id="p", prompt="?", answer="50")
    lenient, strict = grader_for("math", relation="qwen"), grader_for("math", relation="prm800k")
    assert lenient.correct(posed, ["0.5", "50.0", "5", None]) == [True, True, False, False]
    assert strict.correct(posed, ["0.5", "50.0"]) == [False, True]
    assert lenient.classes(posed, ["0.5", "50", "7"]) == [0, 0, 1]
    lenient.close()
    strict.close()
