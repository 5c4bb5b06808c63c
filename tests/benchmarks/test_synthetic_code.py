import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from prmkit.benchmarks.synthetic_code import correct_steps, problems, write
from prmkit.benchmarks.synthetic_world import Slips
from prmkit.grade import grader_for
from prmkit.tree import Problem

PROBLEM = Problem(id="p", prompt="def f ( x ) . a add 3 . b from 5 . c atmost 4 .", domain="code", entry_point="f")
RIGHT = ["a = x + 3 # add 3", "b = 5 - a # from 5", "c = min ( b , 4 ) # atmost 4", "return c"]


def test_a_programmer_without_slips_writes_the_right_program() -> None:
    assert write(PROBLEM.prompt, random.Random(0), Slips(misread=0, miscalculate=0)) == RIGHT
    assert correct_steps(PROBLEM, RIGHT) == [True] * 4


def test_habits_are_followed_and_a_correction_assigns_the_name_again() -> None:
    steps = write(PROBLEM.prompt, random.Random(0), Slips(misread=1, miscalculate=0, corrected=1))
    assert steps == [
        "a = x + 3 # add 3",
        "b = a - 5 # from 5",
        "b = 5 - a # wait from 5",
        "c = max ( b , 4 ) # atmost 4",
        "c = min ( b , 4 ) # wait atmost 4",
        "return c",
    ]
    assert correct_steps(PROBLEM, steps) == [True, False, True, False, True, True]


def test_an_error_stands_until_it_is_corrected() -> None:
    steps = ["a = x - 3 # add 3", "b = 5 - a # from 5", "c = min ( b , 4 ) # atmost 4", "return c"]
    assert correct_steps(PROBLEM, steps) == [False] * 4


def test_nothing_but_the_known_forms_is_evaluated() -> None:
    hostile = ["a = __import__('os') # add 3", "a = x * 3 # add 3", "a = q + 3 # add 3", "return __name__", ""]
    assert correct_steps(PROBLEM, hostile) == [False] * 5


def test_tests_state_the_right_values_by_hand() -> None:
    problem = problems(1, seed=0, min_steps=1, max_steps=1)[0]
    letter, operation, operand = problem.prompt.removeprefix("def f ( x ) . ").removesuffix(" .").split()
    k = int(operand)
    by_hand = {"add": lambda x: x + k, "sub": lambda x: x - k, "from": lambda x: k - x, "atmost": lambda x: min(x, k)}
    by_hand["atleast"] = lambda x: max(x, k)
    assert letter == "a"
    assert len(problem.tests) == 9
    assert [case.public for case in problem.tests].count(True) == 3
    for case in problem.tests:
        assert json.loads(case.output) == by_hand[operation](*json.loads(case.input))


@settings(max_examples=15)  # each example runs a program in a process
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_what_the_truth_calls_right_passes_the_tests(seed: int, misread: float) -> None:
    problem = problems(1, seed=seed)[0]
    steps = write(problem.prompt, random.Random(seed), Slips(misread=misread, corrected=0.3))
    grader = grader_for("code")
    passed = grader.correct(problem, grader.answers(problem, ["\n".join(steps)]))[0]
    # Nine tests may miss a difference that the forty probes see, never the other way round.
    assert passed or not correct_steps(problem, steps)[-1]
