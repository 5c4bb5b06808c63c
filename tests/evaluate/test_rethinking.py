import math
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.evaluate import rethinking as module
from prmkit.evaluate.judging import judge
from prmkit.evaluate.rethinking import rethinking as rethinking_of
from prmkit.evaluate.solutions import solutions_in
from prmkit.grade.config import DEFAULT
from prmkit.tree import ROOT, Problem, StepTree


def tree(name: str, *solutions: list[tuple[str, float | None]]) -> StepTree:
    """Solutions of a problem whose answer is 4, with a score for each step."""
    made = StepTree(Problem(id=name, prompt=name, answer="4"))
    for steps in solutions:
        node = ROOT
        for place, (text, score) in enumerate(steps, start=1):
            node = made.add(node, text, finish="eos" if place == len(steps) else "stop")
            if score is not None:
                made.set_score(node, score)
    return made


def rethinking(trees: list[StepTree]) -> dict[str, Any]:
    return rethinking_of(trees, [judge(solutions_in(each), DEFAULT) for each in trees]).as_json()


CORRECTED = [("2 + 2 = 5", 0.25), ("wait, 2 + 2 = 4", 0.75), ("#### 4", 0.875)]
STUBBORN = [("2 + 2 = 5", 0.5), ("However it is 5", 0.125), ("#### 5", 0.25)]
PLAIN = [("2 + 2 = 4", 0.5), ("#### 4", 0.5)]


def test_scores_by_kind_and_differences_within_solutions_and_problems() -> None:
    found = rethinking([tree("a", CORRECTED), tree("b", STUBBORN, PLAIN), tree("c", PLAIN)])
    assert found["scores"]["rethinking"]["value"] == (0.75 + 0.125) / 2
    assert found["scores"]["before"]["value"] == (0.25 + 0.5) / 2
    assert found["scores"]["other"]["value"] == pytest.approx((0.875 + 0.25 + 0.5 + 0.5 + 0.5 + 0.5) / 6)
    assert found["differences"]["rethinking - before"]["value"] == (0.5 - 0.375) / 2
    # Within a: 0.75 - mean(0.25, 0.875); within b: 0.125 - mean(0.5, 0.25, 0.5, 0.5); c has no such step.
    a, b = 0.75 - 0.5625, 0.125 - 0.4375
    other = found["differences"]["rethinking - other"]
    assert (other["value"], other["n"]) == (pytest.approx((a + b) / 2), 2)
    assert other["stderr"] == pytest.approx(abs(a - b) / 2)  # sd / sqrt 2 of two values


def test_how_many_are_right_and_one_right_solution_as_an_example() -> None:
    found = rethinking([tree("a", CORRECTED), tree("b", STUBBORN, PLAIN)])
    assert (found["right"]["with"]["value"], found["right"]["without"]["value"]) == (0.5, 1.0)
    assert [(step["step"], step["score"], step["rethinks"]) for step in found["example"]] == [
        ("2 + 2 = 5", 0.25, False),
        ("wait, 2 + 2 = 4", 0.75, True),
        ("#### 4", 0.875, False),
    ]


def test_each_step_is_looked_at_once_however_many_solutions_it_leads_to(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    thinks_again = module._thinks_again
    monkeypatch.setattr(module, "_thinks_again", lambda text: looks.append(text) or thinks_again(text))
    many = StepTree(Problem(id="p", prompt="p", answer="4"))
    first = many.add(ROOT, "2 + 2 = 5", score=0.25, finish="stop")
    again = many.add(first, "wait, 2 + 2 = 4", score=0.75, finish="stop")
    ends = [many.add(again, "#### 4", score=number / 64, finish="eos") for number in range(32)]
    found = rethinking([many])
    assert [step["score"] for step in found["example"]] == [0.25, 0.75, 0.0]  # of equal ones the first
    assert len(looks) == len(many) + len(found["example"])
    assert len(ends) == found["right"]["with"]["n"] * 32


def test_what_is_not_there_is_none_and_a_search_without_scores_refused() -> None:
    found = rethinking([tree("a", PLAIN)])
    assert found["scores"]["rethinking"] is None
    assert found["differences"] == {"rethinking - before": None, "rethinking - other": None}
    assert (found["right"]["with"], found["example"]) == (None, None)
    assert not math.isnan(found["scores"]["other"]["value"])
    with pytest.raises(InputError, match="no step has a score"):
        rethinking([tree("a", [("#### 4", None)])])
