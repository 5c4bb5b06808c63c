import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.score.windows import Windows
from prmkit.tree import ROOT, Problem, StepTree
from tests.score.narrow import NarrowScorer, grow, path_of


def read(context: int, steps: str) -> list[str]:
    """What is read for each step of a path, where the problem takes one token and a step one a character."""
    tree = path_of(steps)
    windows = Windows(NarrowScorer(context).fits)
    return [" ".join(tree.nodes[step].text for step in windows.of(tree, tree.path(node))) for node in range(len(tree))]


def test_the_window_of_equal_steps_slides_by_half_of_what_it_holds() -> None:
    """Four steps of two tokens fit behind the problem: 1 + 4 x 2 = 9."""
    assert read(9, "s0 s1 s2 s3 s4 s5 s6 s7 s8 s9") == [
        "s0",
        "s0 s1",
        "s0 s1 s2",
        "s0 s1 s2 s3",
        "s2 s3 s4",  # of four steps two are kept
        "s2 s3 s4 s5",
        "s4 s5 s6",
        "s4 s5 s6 s7",
        "s6 s7 s8",
        "s6 s7 s8 s9",
    ]


def test_of_an_odd_number_the_smaller_half_is_kept() -> None:
    assert read(6, "a b c d e f g h i") == [
        "a",
        "a b",
        "a b c",
        "a b c d",
        "a b c d e",
        "d e f",  # of five steps two are kept
        "d e f g",
        "d e f g h",
        "g h i",
    ]


def test_what_does_not_fit_behind_half_of_a_window_goes_behind_half_of_that_or_alone() -> None:
    """Nine tokens fit behind the problem."""
    assert read(10, "aa bb cc ddd eeeeee f gg hhhhhhhhh i") == [
        "aa",
        "aa bb",
        "aa bb cc",
        "aa bb cc ddd",  # 2 + 2 + 2 + 3 = 9
        "ddd eeeeee",  # behind cc ddd it were 11
        "eeeeee f",  # 10 behind both; of two steps one is kept
        "eeeeee f gg",
        "hhhhhhhhh",  # 11 behind gg
        "i",  # 10 behind it
    ]


def test_what_is_too_long_alone_has_no_window_nor_has_what_follows_it() -> None:
    assert read(4, "a bbbb c d") == ["a", "", "", ""]
    assert read(4, "aaaa b") == ["", ""]


def test_a_window_may_start_at_another_step_on_each_branch() -> None:
    tree = path_of("a b")
    left, right = grow(tree, 1, "c d"), grow(tree, 1, "ee")
    windows = Windows(NarrowScorer(4).fits)
    assert windows.of(tree, tree.path(left)) == [2, 3]  # of a b c one is kept
    assert windows.of(tree, tree.path(right)) == [1, 4]  # and so of a b


def test_each_step_is_looked_at_once_and_a_dead_tree_is_forgotten() -> None:
    scorer = NarrowScorer(3)
    windows, tree = Windows(scorer.fits), path_of("a b c d e")
    assert not windows.begun(tree)
    windows.of(tree, tree.path(4))
    assert windows.begun(tree)
    looked = scorer.looked
    windows.of(tree, tree.path(4))
    windows.of(tree, tree.path(2))
    assert scorer.looked == looked
    grow(tree, 4, "f")
    windows.of(tree, tree.path(5))
    assert scorer.looked <= looked + 2  # the new one, behind all and behind half of the window
    del tree
    gc.collect()
    assert not windows._known


@given(st.lists(st.integers(1, 7), min_size=1, max_size=30), st.integers(2, 12), st.data())
def test_a_window_fits_holds_its_step_and_depends_on_the_path_alone(
    lengths: list[int], context: int, data: st.DataObject
) -> None:
    tree = StepTree.from_steps(Problem(id="p", prompt="?"), ["x" * length for length in lengths])
    scorer = NarrowScorer(context)
    whole = Windows(scorer.fits)
    for node in data.draw(st.permutations(range(len(tree)))):
        steps = list(whole.of(tree, tree.path(node)))
        assert steps == list(Windows(scorer.fits).of(tree, tree.path(node)))
        readable = all(1 + length <= context for length in lengths[: node + 1])
        assert bool(steps) == readable
        if steps:
            assert steps == list(range(steps[0], node + 1))
            assert 1 + sum(lengths[step] for step in steps) <= context
            assert (steps[0] == 0) == (1 + sum(lengths[: node + 1]) <= context)


@pytest.mark.parametrize("length", [1, 2, 5, 9])
def test_the_steps_of_a_long_path_are_read_twice_at_most(length: int) -> None:
    """Equal steps: each window reads its steps once, however many of them are asked for."""
    tree = path_of(" ".join(["x" * length] * 200))
    windows = Windows(NarrowScorer(1 + 8 * length).fits)
    last = {steps[0]: len(steps) for steps in (windows.of(tree, tree.path(node)) for node in range(200))}
    assert sum(last.values()) <= 2 * 200


def test_a_first_step_is_a_window_of_its_own_tree() -> None:
    tree = StepTree(Problem(id="p", prompt="?"))
    first, second = tree.add(ROOT, "a"), tree.add(ROOT, "b")
    windows = Windows(NarrowScorer(2).fits)
    assert (windows.of(tree, [first]), windows.of(tree, [second])) == ([0], [1])
