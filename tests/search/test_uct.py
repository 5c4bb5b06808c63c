import math

import pytest

from prmkit.search.uct import SearchTree
from prmkit.tree import ROOT


def visited_tree() -> SearchTree:
    """ROOT with children 0 and 1; values .2 through 0, .9 and .4 through 1."""
    tree = SearchTree()
    tree.expand(ROOT, [0, 1])
    for leaf, value in ((0, 0.2), (1, 0.9), (1, 0.4)):
        tree.back_up(leaf, value)
    return tree


def test_uct_by_the_paper() -> None:
    tree = visited_tree()
    # Q(s, a) + c sqrt(ln N(s) / N(s, a)), with N(s) = 3.
    assert tree.uct(ROOT, 0, 1.0) == pytest.approx(0.2 + math.sqrt(math.log(3) / 1), abs=1e-12)
    assert tree.uct(ROOT, 1, 1.0) == pytest.approx(0.65 + math.sqrt(math.log(3) / 2), abs=1e-12)
    assert tree.uct(ROOT, 0, 1.0) == pytest.approx(1.2481470739682045, abs=1e-12)
    assert tree.uct(ROOT, 1, 0.5) == pytest.approx(1.020575951841878, abs=1e-12)
    assert tree.best_child(ROOT, 1.0) == 1
    assert tree.best_child(ROOT, 2.0) == 0  # 2.296 against 2.132


def test_what_was_never_visited_comes_first() -> None:
    tree = visited_tree()
    tree.expand(1, [2, 3])
    assert tree.uct(1, 2, 1.0) == math.inf
    assert tree.select(1.0) == 2


def test_a_virtual_loss_is_a_visit_worth_nothing_until_it_is_taken_back() -> None:
    tree = visited_tree()
    before = tree.uct(ROOT, 1, 1.0)
    tree.lose(1)
    # N(s) = 4, N(s, a) = 3, and the sum of values is still 1.3.
    assert tree.uct(ROOT, 1, 1.0) == pytest.approx(1.3 / 3 + math.sqrt(math.log(4) / 3), abs=1e-12)
    tree.lose(1, -1)
    assert tree.uct(ROOT, 1, 1.0) == before


def test_the_walk_by_visits() -> None:
    tree = visited_tree()
    tree.expand(1, [2, 3])
    for leaf, value in ((2, 0.1), (3, 0.5)):
        tree.back_up(leaf, value)
    assert tree.most_visited() == 3  # equally visited as 2, with the larger mean
