import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.annotate.binary_search import BinarySearchConfig, binary_search
from prmkit.tree import StepTree
from tests.annotate.worlds import add_path, path, policy, session_on, values
from tests.fakes import ScriptedGenerator


def searched(tree: StepTree, generator: ScriptedGenerator | None = None) -> ScriptedGenerator:
    generator = generator or policy()
    asyncio.run(binary_search(session_on(tree, generator), BinarySearchConfig(rollouts=2)))
    return generator


@pytest.mark.parametrize("first", range(8))
def test_the_first_error_is_found_with_log2_of_the_steps(first: int) -> None:
    tree = path(*["good"] * first, "bad", *["more"] * (7 - first))
    generator = searched(tree)
    assert values(tree) == [*[1.0] * first, 0.0, *[None] * (7 - first)]
    # The answer says that one of the eight is wrong: three trials tell which.
    assert len(generator.requests) == math.log2(8)


def test_a_right_answer_proves_every_step_without_a_rollout() -> None:
    tree = path("one", "two", "4")
    assert searched(tree).requests == []
    assert values(tree) == [1.0, 1.0, 1.0]
    assert [node.label and node.label.rollouts for node in tree] == [0, 0, 1]


def test_solutions_share_what_is_known_of_their_common_steps() -> None:
    tree = path("a", "b", "c", "4")
    add_path(tree, "bad", "5", parent=2)
    generator = searched(tree)
    # a, b and c lead to a right answer, so that only "bad" is left to try.
    assert [prompt for prompt, _ in generator.requests] == ["?\na\nb\nc\nbad\n"]
    assert values(tree) == [1.0, 1.0, 1.0, 1.0, 0.0, None]


def test_a_step_is_tried_once_however_many_solutions_go_through_it() -> None:
    tree = path("a", "bad", "c", "5")
    for text in ("d", "e", "f"):
        add_path(tree, text, "5", parent=1)
    generator = searched(tree)
    prompts = [prompt for prompt, _ in generator.requests]
    assert len(prompts) == len(set(prompts))
    assert values(tree)[:2] == [1.0, 0.0]
    assert set(values(tree)[2:]) == {None}


def test_an_unfinished_solution_is_judged_by_rollouts_alone() -> None:
    tree = path("a", "b", finish=None)
    generator = searched(tree)
    assert values(tree) == [1.0, 1.0]
    assert len(generator.requests) == 1


def test_a_step_that_a_limit_cut_in_two_is_not_tried() -> None:
    tree = path("a", "b", "half of a st", finish="length")
    searched(tree)
    assert values(tree) == [1.0, 1.0, None]


@pytest.mark.parametrize(("threshold", "expected"), [(0.0, [1.0, 1.0]), (0.5, [0.0, None])])
def test_a_step_is_right_if_its_share_is_above_the_threshold(threshold: float, expected: list[float | None]) -> None:
    tree = path("a", "b", finish=None)
    generator = ScriptedGenerator(lambda prompt, sample: ("4" if sample % 2 else "5", "eos"))
    config = BinarySearchConfig(rollouts=2, threshold=threshold)
    asyncio.run(binary_search(session_on(tree, generator), config))
    assert values(tree) == expected


SHAPES = st.lists(st.tuples(st.integers(-1, 30), st.booleans()), min_size=1, max_size=12)


@given(SHAPES)
def test_first_errors_are_those_of_hard_monte_carlo_where_there_is_no_noise(shape: list[tuple[int, bool]]) -> None:
    tree = StepTree(path("x").problem)
    for number, (parent, bad) in enumerate(shape):
        tree.add(min(parent, number - 1), f"{'bad' if bad else 'good'} {number}")
    searched(tree)
    spoilt: set[int] = set()
    for index, node in enumerate(tree.nodes):
        wrong = "bad" in node.text
        expected = None if node.parent in spoilt else float(not wrong)
        if wrong or node.parent in spoilt:
            spoilt.add(index)
        assert (node.label and node.label.value) == expected
