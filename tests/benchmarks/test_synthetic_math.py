import random

from hypothesis import given
from hypothesis import strategies as st

from prmkit.benchmarks.synthetic_math import correct_steps, problems, write
from prmkit.benchmarks.synthetic_world import Slips
from prmkit.grade import grader_for
from prmkit.tree import Problem

# a = 7 + 3 = 10 = 0 (mod 10); b = 5 - 0 = 5; c = min(5, 4) = 4.
PROBLEM = Problem(id="p", prompt="x = 7 . a add 3 . b from 5 . c atmost 4 .", answer="4")
RIGHT = [
    "a = x + 3 = 7 + 3 = 0 # add 3",
    "b = 5 - a = 5 - 0 = 5 # from 5",
    "c = min ( b , 4 ) = min ( 5 , 4 ) = 4 # atmost 4",
    "#### 4",
]


def test_a_writer_without_slips_writes_the_right_solution() -> None:
    assert write(PROBLEM.prompt, random.Random(0), Slips(misread=0, miscalculate=0)) == RIGHT
    assert correct_steps(PROBLEM, RIGHT) == [True] * 4


def test_habits_are_followed_and_the_values_go_on_from_there() -> None:
    # b misread: 0 - 5 = -5 = 5 (mod 10), right by accident; c misread: max(5, 4) = 5.
    assert write(PROBLEM.prompt, random.Random(0), Slips(misread=1, miscalculate=0, corrected=0)) == [
        "a = x + 3 = 7 + 3 = 0 # add 3",
        "b = a - 5 = 0 - 5 = 5 # from 5",
        "c = max ( b , 4 ) = max ( 5 , 4 ) = 5 # atmost 4",
        "#### 5",
    ]


def test_a_noticed_mistake_is_written_again_and_the_solution_is_right() -> None:
    steps = write(PROBLEM.prompt, random.Random(0), Slips(misread=1, miscalculate=0, corrected=1))
    assert steps == [
        *RIGHT[:1],
        "b = a - 5 = 0 - 5 = 5 # from 5",
        "c = max ( b , 4 ) = max ( 5 , 4 ) = 5 # atmost 4",
        "c = min ( b , 4 ) = min ( 5 , 4 ) = 4 # wait atmost 4",
        "#### 4",
    ]
    assert correct_steps(PROBLEM, steps) == [True, True, False, True, True]


def test_what_states_no_value_is_wrong() -> None:
    assert (
        correct_steps(PROBLEM, ["b", "d = c + 1 = 1 + 1 = 2 # add 1", "#### 7", "a = x + 3 = 7 + 3 = 10 # add 3"])
        == [False] * 4
    )


@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1))
def test_the_last_step_is_right_exactly_if_the_grader_says_so(seed: int, misread: float, corrected: float) -> None:
    problem = problems(1, seed=seed)[0]
    steps = write(problem.prompt, random.Random(seed), Slips(misread=misread, corrected=corrected))
    grader = grader_for("math")
    assert grader.correct(problem, grader.answers(problem, ["\n".join(steps)])) == correct_steps(problem, steps)[-1:]


def test_slips_come_as_often_as_asked() -> None:
    slips = Slips(misread=0.5, miscalculate=0, corrected=0)
    rng = random.Random(0)
    misread = [write("x = 3 . a from 9 .", rng, slips)[0] == "a = x - 9 = 3 - 9 = 4 # from 9" for _ in range(2000)]
    # Five standard errors of a share of 2000 at 1/2 are 0.056.
    assert abs(sum(misread) / 2000 - 0.5) < 0.056
