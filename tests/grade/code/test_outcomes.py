"""What programs of each form do on tests, and the verdict that follows."""

from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.grade.code.outcomes import (
    Terms,
    compared,
    entry_of,
    expected_of,
    outcomes_of,
    verdict_of,
    without_layout,
)
from prmkit.sandbox import values
from prmkit.sandbox.isolate import Outcome
from prmkit.tree import Case, Problem

TERMS = Terms(seconds=2.0, prelude="import math")


def problem(*inputs: str, **fields: Any) -> Problem:
    tests = tuple(Case(input=given, output="5", public=True) for given in inputs)
    return Problem(id="p", prompt="?", domain="code", tests=tests, **fields)


def done(posed: Problem, program: str, terms: Terms = TERMS) -> list[Any]:
    """Values, and errors as they are."""
    found = outcomes_of(posed, program, posed.tests, terms)
    return [values.decode(each.value_json) if each.value_json is not None else each.error for each in found]


def test_a_program_is_called_or_run_once_for_each_input() -> None:
    function = problem("[1]", "[4]", entry_point="f")
    assert done(function, "def f(x): return math.sqrt(x)") == [1.0, 2.0]
    assert done(function, "class Solution:\n    def f(self, x): return 1 // (x - 1)") == ["ZeroDivisionError", 0]
    assert done(problem("a", "b"), "print(input() * 2)") == ["aa\n", "bb\n"]
    assert done(problem("1", "0"), "print(7)\n1 // int(input())") == ["7\n", "Error"]


def test_what_was_written_before_a_crash_counts_where_the_rule_says_so() -> None:
    spared = Terms(seconds=2.0, crash_fails=False)
    assert done(problem("1", "0"), "print(7)\n1 // int(input())", spared) == ["7\n", "7\n"]
    assert done(problem("0"), "print()\n1 // int(input())", spared) == ["Error"]


def test_a_class_goes_before_a_function() -> None:
    assert entry_of(problem(entry_point="f"), "class Solution: pass\ndef f(): pass") == "Solution().f"
    assert entry_of(problem(entry_point="f"), "def f(): pass") == "f"
    assert entry_of(problem(), "class Solution: pass") is None


def test_the_verdict_ends_at_the_first_reason() -> None:
    posed = problem("1", "2", "3")

    def verdict(*errors: str) -> tuple[str, int]:
        outcomes = (Outcome(error=error) if error else Outcome(value_json="5") for error in errors)
        found = verdict_of(posed, outcomes, lambda found, expected: str(found) == expected)
        return found.status, len(found.tests)

    assert verdict("", "", "") == ("pass", 3)
    assert verdict("", "Error", "") == ("fail", 2)
    assert verdict("Timeout", "", "") == ("timeout", 1)
    with pytest.raises(InputError, match="no tests"):
        verdict_of(problem(), (each for each in ()), lambda found, expected: True)
    mute = Problem(id="p", prompt="?", domain="code", tests=(Case(input="1"),))
    with pytest.raises(InputError, match="a test has no output"):
        verdict_of(mute, (each for each in [Outcome(value_json="5")]), lambda found, expected: True)


def test_what_is_expected_is_a_text_or_a_value() -> None:
    case = Case(input="", output="[1]")
    assert expected_of(problem(), case) == "[1]"
    assert expected_of(problem(entry_point="f"), case) == [1]
    with pytest.raises(InputError, match="an expected output is not JSON"):
        expected_of(problem(entry_point="f"), Case(input="", output="(1,)"))


def test_a_reply_that_is_no_value_or_does_not_compare_is_wrong_and_no_crash() -> None:
    def fault(outcome: Outcome, expected: Any = 5) -> str:
        return compared(outcome, expected, lambda found, wanted: bool(found >= wanted))

    assert fault(Outcome(value_json="7")) == ""
    assert fault(Outcome(value_json="3")) == "gave 3, not 5"
    assert fault(Outcome(error="KeyError")) == "KeyError"
    assert fault(Outcome(value_json="[" * 100_000)) == "BadReply"
    assert fault(Outcome(value_json='"a"')) == "not comparable (TypeError)"
    assert fault(Outcome(value_json="3"), 10**5000) == "gave 3, not a value of type int"


def test_layout_is_what_stands_around_lines() -> None:
    def text(written: str) -> str:
        return str(values.decode(without_layout(Outcome(value_json=values.encode(written))).value_json or ""))

    assert text("\n a  b \r\nc\n\n") == "a  b\nc"
    assert without_layout(Outcome(error="Error")) == Outcome(error="Error")
