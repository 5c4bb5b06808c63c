import threading
from dataclasses import replace

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.judging import groups_of, judge, judgeable, judged_in_threads
from prmkit.grade.config import DEFAULT, GradingConfig
from prmkit.tree import Case, Problem

HERE = Problem(id="here", prompt="?", answer="1")
# Its reference imports what no machine has.
ELSEWHERE = Problem(
    id="elsewhere", prompt="?", domain="code", rule="bigcodebench", reference="import no_such_package", check="x = 1"
)


def test_what_this_machine_cannot_judge_is_put_aside_with_its_reason() -> None:
    kept, reasons = judgeable([ELSEWHERE, HERE], lambda problem: problem, DEFAULT)
    assert kept == [HERE]
    assert reasons == {"elsewhere": "not installed: no_such_package"}


def test_what_has_its_verdict_needs_no_judge() -> None:
    kept, reasons = judgeable([ELSEWHERE, HERE], lambda problem: None, DEFAULT)
    assert kept == [ELSEWHERE, HERE]
    assert not reasons


def test_if_nothing_can_be_judged_it_is_an_error() -> None:
    with pytest.raises(InputError, match=r"elsewhere: no problem can be judged on this machine, got 'not installed: n"):
        judgeable([ELSEWHERE], lambda problem: problem, DEFAULT)


def test_every_solution_gets_its_class_and_its_verdict() -> None:
    found = judge(HERE, ["#### 2", "#### 1", "no answer", "#### 1.0"], DEFAULT)
    assert found.classes == [0, 1, None, 1]
    assert found.correct == [False, True, False, True]


def test_the_config_says_which_programs_vote_together() -> None:
    case = Case(input="[2]", output="4", public=True)
    double = Problem(id="double", prompt="?", domain="code", entry_point="f", tests=(case,))
    programs = ["def f(x): return 2 * x", "def f(x): return x + x", "def f(y): return 2 * y"]
    by_behaviour, by_text = (judge(double, programs, GradingConfig(vote=vote)) for vote in ("behaviour", "text"))
    assert by_behaviour.classes == [0, 0, 0]
    assert by_text.classes == [0, 1, 0]  # names do not count, operators do
    assert by_behaviour.correct == by_text.correct == [True, True, True]


def test_problems_are_judged_side_by_side_and_come_back_in_their_order() -> None:
    told: list[int] = []
    last_is_done = threading.Event()

    def first_waits_for_the_last(number: int) -> int:
        if number == 0:
            assert last_is_done.wait(60)
        if number == 1:
            last_is_done.set()
        return 10 * number

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.cpu_count", lambda: 2)
        assert judged_in_threads(first_waits_for_the_last, [0, 1], told.append) == [0, 10]
    assert told == [1, 1]


def test_figures_are_told_apart_by_what_is_known_of_a_problem() -> None:
    assert groups_of(HERE) == {"domain": "math"}
    assert groups_of(replace(HERE, level="5", subject="Algebra")) == {
        "level": "5",
        "subject": "Algebra",
        "domain": "math",
    }
