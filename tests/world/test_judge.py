import asyncio
import random

import pytest

from prmkit.benchmarks import synthetic_math
from prmkit.benchmarks.synthetic_world import Slips
from prmkit.errors import InputError
from prmkit.tree import Problem, StepTree
from prmkit.world.judge import WorldJudgeConfig, judge, verdict
from tests.fakes import ScriptedGenerator, make_session

PROBLEM = Problem(id="synthetic-math/train/0/0", prompt="x = 7 . a add 3 . b from 5 .", answer="5")
RIGHT = ["a = x + 3 = 7 + 3 = 0 # add 3", "b = 5 - a = 5 - 0 = 5 # from 5", "#### 5"]
WRONG = [RIGHT[0], "b = a - 5 = 0 - 5 = 5 # from 5", "#### 4"]
MISREAD = [RIGHT[0], "b = a - 5 = 0 - 5 = 7 # from 5", "#### 7"]


def test_without_errors_it_names_the_first_wrong_step() -> None:
    assert [verdict(PROBLEM, steps, 0.0) for steps in (RIGHT, WRONG, MISREAD)] == [-1, 2, 1]


def test_an_error_is_no_error_named_or_a_neighbour() -> None:
    assert verdict(PROBLEM, MISREAD, 1.0) in (-1, 0, 2)
    assert verdict(PROBLEM, RIGHT, 1.0) in (0, 1, 2)
    assert verdict(PROBLEM, MISREAD, 1.0) == verdict(PROBLEM, MISREAD, 1.0)


def test_it_errs_as_often_as_it_is_told() -> None:
    rng, wrong = random.Random(0), 0
    problems = synthetic_math.problems(400, seed=3)
    for problem in problems:
        steps = synthetic_math.write(problem.prompt, rng, Slips())
        wrong += verdict(problem, steps, 0.17) != verdict(problem, steps, 0.0)
    assert wrong / 400 == pytest.approx(0.17, abs=0.05)  # two and a half standard errors


def test_steps_up_to_the_first_wrong_one_get_labels() -> None:
    tree = StepTree.from_steps(PROBLEM, MISREAD, [None] * 3)
    asyncio.run(judge(make_session(ScriptedGenerator(lambda *_: ("", "eos")), tree=tree), WorldJudgeConfig()))
    assert [node.label and (node.label.value, node.label.source) for node in tree] == [(1, "judge"), (0, "judge"), None]


def test_another_world_is_refused() -> None:
    with pytest.raises(InputError, match="the judge knows only the embedded world"):
        verdict(Problem(id="math500/1", prompt="?"), ["1"], 0.0)
