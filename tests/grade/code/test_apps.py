"""The rule of APPS. What is right here was also right for the official runner, and what is wrong was wrong."""

from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.grade.code.apps import judge, same_output, same_value
from prmkit.grade.code.programs import CodeGrader
from prmkit.sandbox import values
from prmkit.tree import Case, Problem


def function(*tests: tuple[list[Any], Any]) -> Problem:
    cases = tuple(
        Case(input=values.encode(given), output=values.encode(output), public=True) for given, output in tests
    )
    return Problem(id="f", prompt="?", domain="code", rule="apps", entry_point="f", tests=cases)


def script(*tests: tuple[str, str], **fields: Any) -> Problem:
    cases = tuple(Case(input=given, output=output, public=True) for given, output in tests)
    return Problem(id="s", prompt="?", domain="code", rule="apps", tests=cases, **fields)


INCREMENT = function(([1], 2), ([5], [6]))


@pytest.mark.parametrize(
    ("program", "passes"),
    [
        ("def f(x): return x + 1", True),
        ("class Solution:\n    def f(self, x): return x + 1", True),
        ("f = lambda x: x + 1", True),
        ("def f(x): return x + 2", False),
        ("def g(x): return x + 1", False),
        ("class Solution: pass\ndef f(x): return x + 1", False),  # a class goes before a function
        ("class Solver:\n    def f(self, x): return x + 1", False),
        # One object answers all calls.
        (
            "class Solution:\n    def __init__(self): self.n = 0\n    def f(self, x): self.n += 1; return x + self.n",
            False,
        ),
        # Names that the official runner has imported, with NumPy among them.
        ("def f(x: List[int]): return int(np.add(x, sqrt(1))) if gcd(2, 4) == len(Counter('ab')) else 0", True),
        ("from __future__ import annotations\ndef f(x: Unknown): return x + 1", True),
        ("def f(x): raise ValueError", False),
    ],
)
def test_a_function_or_a_method_of_solution_answers_whatever_the_problem_asks_for(program: str, passes: bool) -> None:
    assert judge(INCREMENT, program).passed is passes


@pytest.mark.parametrize(
    ("returned", "expected", "same"),
    [
        (3, 3, True),
        (3, [3], True),  # the value in a list of one
        ([3], [3], True),
        ([3], 3, False),
        (3, [3, 5], True),  # the first of a longer list is enough, as there
        (5, [3, 5], False),
        ([3, 5], [[3, 5]], True),
        ((3, 5), [3, 5], True),  # a tuple is a list
        ((3, 5), [[3, 5]], True),
        ([(1, 2), (3, 4)], [[[1, 2], [3, 4]]], True),  # tuples within it, where the output is wrapped
        ([(1, 2), (3, 4)], [[1, 2], [3, 4]], False),
        ([(1,), 2], [[[1], 2]], False),
        ([[(1, 2)]], [[[[1, 2]]]], False),
        ([], [[]], True),
        ([], [], True),
        (None, [None], True),
        (None, [], False),
        (True, [1], True),
        (3.0, [3], True),
        (0.1 + 0.2, [0.3], False),  # no tolerance for values
        ({1: 2}, [{1: 2}], True),
        ({"1": 2}, [{1: 2}], False),
        ("a", ["a"], True),
        ("a", "abc", False),
        (10**400, [10**400], True),
        (10**400 + 1, [10**400], False),
    ],
)
def test_a_value_is_the_expected_one_or_its_first_element(returned: Any, expected: Any, same: bool) -> None:
    assert same_value(returned, expected) is same


def test_values_that_json_lacks_come_back_as_what_they_are() -> None:
    assert judge(function(([[1, 1]], [{1: 2}])), "def f(a): return {x: a.count(x) for x in a}").passed
    assert judge(function(([{1: 2}], 3)), "def f(d): return sum(d) + sum(d.values())").passed
    assert judge(function(([4300], [10**4300])), "def f(n): return 10 ** n").passed
    assert not judge(function(([4300], [10**4300])), "def f(n): return 0").passed
    assert not judge(function(([3], [[1, 2, 3]])), "import numpy\ndef f(n): return numpy.arange(1, n + 1)").passed


@pytest.mark.parametrize(
    ("written", "expected", "same"),
    [
        ("3\n", "3", True),
        ("  3  ", "\n3\n", True),
        ("1 \n 2", "1\n2", True),  # blanks around lines
        ("1\n2", "1 \n2 \n", True),
        ("1\r\n2", "1\n2", True),
        ("1\n2", "1\r\n2\r\n", True),
        ("1\n\n2", "1\n2", True),  # empty lines
        ("yes", "Yes", False),
        ("", "", True),
        ("", "0", False),
        ("0", "", False),
        ("0.333333", "0.3333333", True),  # 1e-5 relative
        ("0.3333", "0.3333333", True),  # rounded to three digits
        ("0.333", "0.334", False),
        ("5", "5.0", True),
        ("1e5", "100000", True),
        ("100000", "100001", True),  # whole numbers too
        ("100", "101", False),
        ("inf", "Infinity", True),
        ("1" * 400, "1" * 399 + "2", False),  # too large for floats, which would all be infinity
        ("1" * 400, "1" * 400, True),
        ("2 1", "1 2", True),  # a line is a set of words
        ("2\n1", "1\n2", True),  # and the lines are a set
        ("1\n1\n2", "1\n2", True),
        ("a b", "b a", True),
        ("1 2", "1\n2", False),  # but which words stand in one line counts
        ("1 2\n3 4", "4 3\n2 1", True),
        ("1.0001 a", "1.0002 a", False),  # rounding is for numbers alone
        ("1.0001 2", "1.0002 2", True),
        ("nan", "nan", True),
        ("nan", "NaN", False),
    ],
)
def test_outputs_are_the_same_by_the_first_comparison_that_holds(written: str, expected: str, same: bool) -> None:
    assert same_output(written, expected) is same


ADD = script(("1 2\n", "3\n"), ("3 4\n", "7\n"))


@pytest.mark.parametrize(
    ("program", "passes"),
    [
        ("a, b = map(int, input().split())\nprint(a + b)", True),
        ("import sys\ndef main():\n    print(sum(map(int, sys.stdin.read().split())))\n"
         "if __name__ == '__main__':\n    main()\n    sys.exit(1)", True),
        ("print(fabs(-sum(map(int, stdin.readline().split()))))", True),
        ("from threading import Thread\nThread(target=lambda: print(sum(map(int, input().split())))).start()", True),
        ("print(sum(map(int, input().split())))\nexit()", True),
        # A script that returns is run as the body of a function, as all are there.
        ("for line in stdin:\n    print(sum(map(int, line.split())))\n    if line:\n        return", True),
        ("try:\n    print(sum(map(int, input().split())))\n    return 1\nfinally:\n    print(end='')", True),
        ("def f():\n    return 3\nprint(f())\nreturn", False),
        ("print(3)", False),
        ("print(sum(map(int, input().split())))\n1 / 0", False),
        ("def f(a, b): return a + b", False),  # a function prints nothing
        ("print(3", False),
    ],
)  # fmt: skip
def test_a_script_reads_its_input_and_prints(program: str, passes: bool) -> None:
    assert judge(ADD, program).passed is passes


def test_a_script_may_read_the_file_that_the_problem_names() -> None:
    problem = script(("1 2\n", "3\n"), ("3 4\n", "7\n"), input_file="input.txt")
    assert judge(problem, "with open('input.txt') as f: print(sum(map(int, f.read().split())))").passed


def test_a_verdict_says_which_test_failed_and_how() -> None:
    verdict = judge(ADD, "print(3)")
    assert (verdict.status, [test.reason for test in verdict.tests]) == ("fail", ["", "gave '3\\n', not '7\\n'"])
    assert judge(ADD, "1 / 0").tests[0].reason == "Error"
    assert judge(INCREMENT, "def f(x): return x + (x == 1)").tests[1].reason == "gave 5, not [6]"
    assert judge(function(([1], 10**5000)), "def f(x): return 10 ** 5001").tests[0].reason.startswith("gave a value")


def test_a_late_program_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prmkit.grade.code.apps.SECONDS", 0.5)
    assert judge(ADD, "while True: pass").status == "timeout"
    assert judge(INCREMENT, "def f(x):\n    while True: pass").status == "timeout"


def test_what_cannot_be_judged_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no tests"):
        judge(script(), "x")
    broken = Problem(id="p", prompt="", domain="code", entry_point="f", tests=(Case(input="[1]", output="(1,)"),))
    with pytest.raises(InputError, match="not JSON"):
        judge(broken, "def f(x): return (1,)")


def test_the_grader_goes_by_the_rule_and_votes_on_scripts_and_methods() -> None:
    grader = CodeGrader()
    right = "class Solution:\n    def f(self, x): return x + 1"
    assert grader.correct(INCREMENT, [right, "def f(x): return x + 1", None]) == [True, True, False]
    assert grader.classes(INCREMENT, [right, "def f(x): return 1 + x", "def f(x): return x"]) == [0, 0, 1]
    wrong = "print(input())"
    assert grader.classes(ADD, ["print(eval(input().replace(' ', '+')))", wrong, "1 / 0"]) == [0, 1, None]
