"""The rule of TACO: the values of APPS, and outputs as its own runner compares them."""

import pytest

from prmkit.grade.code.taco import judge, same_output
from prmkit.tree import Case, Problem


@pytest.mark.parametrize(
    ("written", "expected", "same"),
    [
        ("3\n", "3", True),
        (" 10 20\n", "\n10 20", True),
        ("10\r\n20", "10\n20", True),
        ("10\n20", "10\r\n20", False),  # only what a program wrote is read with its line ends
        ("10 \n20", "10\n20", False),  # blanks within the text count
        ("10\n\n20", "10\n20", False),
        ("yes", "Yes", False),
        ("0.5", "0.50", False),  # no tolerance
        ("20\n10", "10\n20", False),  # order counts
        ("", "", True),
        ("0", "", False),
        # Numbers of one digit are equal in any order and layout: there, a character is a number.
        ("2 1", "1\n2", True),
        ("12", "1\n2", True),
        ("1 2", "1\n3", False),
        ("5", "5.0", True),
        ("15", "15.0", False),
    ],
)
def test_an_output_is_the_expected_text(written: str, expected: str, same: bool) -> None:
    assert same_output(written, expected) is same


def test_a_script_may_use_the_standard_streams_or_files() -> None:
    tests = (Case(input="1 2\n", output="31\n"), Case(input="30 4\n", output="74\n"))
    problem = Problem(id="s", prompt="?", domain="code", rule="taco", tests=tests[1:], input_file="input.txt",
                      output_file="output.txt")  # fmt: skip
    assert judge(problem, "print(sum(map(int, input().split())) + 40)").passed
    files = "import sys\nsys.stdin = open('input.txt')\nsys.stdout = open('output.txt', 'w')\n"
    assert judge(problem, files + "print(sum(map(int, input().split())) + 40)").passed
    assert not judge(problem, files + "print(sum(map(int, input().split())))").passed
    assert not judge(problem, "print(sum(map(int, input().split())) + 40.0)").passed


def test_a_function_returns_the_value_or_its_first_element() -> None:
    tests = (Case(input="[1]", output="[2]"), Case(input="[5]", output="6"))
    problem = Problem(id="f", prompt="?", domain="code", rule="taco", entry_point="f", tests=tests)
    assert judge(problem, "class Solution:\n    def f(self, x): return x + 1").passed
    assert judge(problem, "def f(x): return x + 1").passed
    assert not judge(problem, "def f(x): return [x + 1]").passed
