from dataclasses import dataclass
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.judging import Judging, judgeable
from prmkit.tree import Problem

HERE, ELSEWHERE = (Problem(id=name, prompt="?", answer="1") for name in ("here", "elsewhere"))


@dataclass(frozen=True, slots=True, kw_only=True)
class OneProblem(Judging):
    """A machine that can judge one problem."""

    def grader(self, problem: Problem) -> Any:
        return self

    def unsupported(self, problem: Problem) -> str:
        return "" if problem is HERE else "not installed: numpy"


def test_what_this_machine_cannot_judge_is_put_aside_with_its_reason() -> None:
    kept, reasons = judgeable([ELSEWHERE, HERE], lambda problem: problem, OneProblem())
    assert kept == [HERE]
    assert reasons == {"elsewhere": "not installed: numpy"}


def test_what_has_its_verdict_needs_no_judge() -> None:
    kept, reasons = judgeable([ELSEWHERE, HERE], lambda problem: None, OneProblem())
    assert kept == [ELSEWHERE, HERE]
    assert not reasons


def test_if_nothing_can_be_judged_it_is_an_error() -> None:
    with pytest.raises(InputError, match=r"elsewhere: no problem can be judged on this machine, got 'not installed: n"):
        judgeable([ELSEWHERE], lambda problem: problem, OneProblem())
