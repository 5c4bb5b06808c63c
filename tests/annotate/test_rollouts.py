import asyncio
import math

import pytest

from prmkit.annotate.rollouts import RolloutShare, cut_off, gradable, implied, share_of
from prmkit.tree import Case, Finish, Problem
from tests.annotate.worlds import path, session_on
from tests.fakes import ScriptedGenerator


@pytest.mark.parametrize(
    ("successes", "rollouts", "value", "stderr"),
    [
        (1, 4, 0.25, math.sqrt(3) / 8),  # sqrt(1/4 * 3/4 / 4)
        (8, 16, 0.5, 0.125),
        (0, 8, 0.0, 0.0),
        (8, 8, 1.0, 0.0),
        (1, 1, 1.0, 0.0),
    ],
)
def test_a_soft_label_is_the_share_with_its_standard_error(
    successes: int, rollouts: int, value: float, stderr: float
) -> None:
    label = RolloutShare(successes=successes, rollouts=rollouts).label(hard=False, threshold=0.9)
    assert (label.value, label.rollouts, label.source) == (value, rollouts, "monte-carlo")
    assert label.stderr == pytest.approx(stderr)


@pytest.mark.parametrize(
    ("successes", "threshold", "value"), [(1, 0.0, 1.0), (0, 0.0, 0.0), (1, 0.25, 0.0), (2, 0.25, 1.0), (4, 0.99, 1.0)]
)
def test_a_hard_label_is_whether_the_share_is_above_the_threshold(
    successes: int, threshold: float, value: float
) -> None:
    label = RolloutShare(successes=successes, rollouts=4).label(hard=True, threshold=threshold)
    assert label.value == value
    # How sure the estimate is does not depend on how it is written down.
    assert label.stderr == RolloutShare(successes=successes, rollouts=4).label(hard=False, threshold=0.0).stderr


def test_an_implied_label_has_no_rollouts() -> None:
    label = implied(0.0)
    assert (label.value, label.rollouts, label.stderr, label.source) == (0.0, 0, None, "monte-carlo")


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (Problem(id="p", prompt="?", answer="4"), True),
        (Problem(id="p", prompt="?", answer=""), True),  # the grader says what it thinks of that
        (Problem(id="p", prompt="?"), False),
        (Problem(id="p", prompt="?", domain="code", tests=(Case(input="[1]", output="1"),)), True),
        (Problem(id="p", prompt="?", domain="code", entry_point="f"), False),
    ],
)
def test_a_problem_can_be_graded_if_there_is_something_to_reach(problem: Problem, expected: bool) -> None:
    assert gradable(problem) is expected


@pytest.mark.parametrize(
    ("finish", "expected"), [("length", True), ("cancelled", True), ("eos", False), ("stop", False), (None, False)]
)
def test_half_a_step_is_one_that_a_limit_cut(finish: Finish | None, expected: bool) -> None:
    assert cut_off(path("a", "b", finish=finish), 1) is expected


def shared(
    *steps: str, node: int, script: object, rollouts: int = 4, finish: Finish = "stop"
) -> tuple[RolloutShare, int]:
    """The share from a step, and the number of requests that it took."""
    tree = path(*steps, finish=finish)
    before = list(tree)
    generator = ScriptedGenerator(script)  # type: ignore[arg-type]
    found = asyncio.run(share_of(session_on(tree, generator), node, rollouts))
    assert list(tree) == before
    return found, len(generator.requests)


def test_the_share_counts_rollouts_that_reach_the_answer() -> None:
    found, asked = shared("a", "b", node=0, script=lambda prompt, sample: ("45"[sample % 2], "eos"))
    assert (found, asked) == (RolloutShare(successes=2, rollouts=4), 1)


def test_a_rollout_that_never_came_to_its_end_reached_nothing() -> None:
    found, _ = shared("a", node=0, script=lambda prompt, sample: ("4", "length"))
    assert found == RolloutShare(successes=0, rollouts=4)


@pytest.mark.parametrize(("last", "successes"), [("4", 1), ("5", 0)])
def test_the_last_step_of_a_solution_is_its_own_outcome(last: str, successes: int) -> None:
    found, asked = shared("a", last, node=1, finish="eos", script=lambda prompt, sample: ("4", "eos"))
    assert (found, asked) == (RolloutShare(successes=successes, rollouts=1), 0)


def test_from_a_step_that_leaves_no_room_nothing_is_reached() -> None:
    long = "a" * 5000  # char_text: a token a character, more than the sampling allows
    found, asked = shared(long, node=0, script=lambda prompt, sample: ("4", "eos"))
    assert (found, asked) == (RolloutShare(successes=0, rollouts=4), 0)
