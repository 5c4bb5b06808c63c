from typing import Any

import numpy as np
import pytest

from prmkit.errors import InputError
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.random_selection import pools_of, random_selection_test
from tests.similarity.grams import gram_of

# Two problems with two candidates each; row 4 is the other set, along the first axis.
PATTERNS = [(1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.0, 1.0), (1.0, 0.0)]
PROBLEMS = ["a", "a", "b", "b", "x"]
POOLS = {"chosen": "all"}


def gram(*chosen: int, **options: Any) -> PatternGram:
    return gram_of(PATTERNS, {"all": (0, 1, 2, 3), "chosen": chosen, "other": (4,)}, PROBLEMS, **options)


def test_the_best_choice_is_as_likely_as_a_quarter_of_all() -> None:
    found = random_selection_test(gram(0, 2), "chosen", "other", POOLS, draws=4000, seed=0)
    assert (found.observed, found.expected, found.problems, found.free) == (1.0, 0.5, 2, 2)
    assert found.p_value == pytest.approx(0.25, abs=0.03)
    assert (found.low, found.high) == (0.0, 1.0)
    assert random_selection_test(gram(0, 2), "other", "chosen", POOLS, draws=4000, seed=0).observed == 1.0


def test_the_worst_choice_is_always_reached() -> None:
    found = random_selection_test(gram(1, 3), "chosen", "other", POOLS, draws=100, seed=0)
    assert (found.observed, found.p_value) == (0.0, 1.0)


def test_strata_leave_only_candidates_like_the_choice() -> None:
    made = gram(0, 2, correct=[True, False, True, True, None], lengths=[1, 1, 9, 1, 1])
    correct = random_selection_test(made, "chosen", "other", POOLS, strata=["correct"], draws=4000, seed=0)
    # Only problem b leaves a choice: two selections, the observed one is the better.
    assert (correct.strata, correct.free, correct.expected) == ("correct", 1, 0.75)
    assert correct.p_value == pytest.approx(0.5, abs=0.03)
    both = random_selection_test(made, "chosen", "other", POOLS, strata=["correct", "length"], draws=100, seed=0)
    assert (both.strata, both.free, both.p_value) == ("correct and length", 0, 1.0)
    with pytest.raises(InputError, match=r"all: it is not known which responses are correct\. Run prmkit evaluate"):
        random_selection_test(gram(0, 2), "chosen", "other", POOLS, strata=["correct"], seed=0)


def test_two_chosen_sets_are_drawn_together() -> None:
    patterns = [(1.0, 0.0), (0.0, 1.0)] * 2
    made = gram_of(patterns, {"a": (0, 1), "b": (2, 3), "a_prm": (0,), "b_prm": (2,)}, ["p", "p", "q", "q"])
    found = random_selection_test(made, "a_prm", "b_prm", pools_of(made), draws=4000, seed=0)
    assert (found.observed, found.expected, found.problems) == (1.0, 0.5, 2)
    assert found.p_value == pytest.approx(0.5, abs=0.03)


def test_pools_are_the_smallest_larger_sets() -> None:
    sets = {"all": (0, 1, 2, 3), "some": (0, 1, 2), "one": (0, 2), "two": (0, 1), "other": (4,)}
    assert pools_of(gram_of(PATTERNS, sets, PROBLEMS)) == {"one": "some"}


def test_p_values_are_uniform_where_the_choice_is_random() -> None:
    """200 selections by lot; Kolmogorov's distance stays under its 1 % point, 1.63 / sqrt(200)."""
    random = np.random.default_rng(0)
    problems = [f"a{row // 4}" for row in range(40)] + [f"b{row // 4}" for row in range(40)]
    values = []
    for seed in range(200):
        patterns = random.random((80, 6)) ** 3
        chosen = tuple(4 * problem + int(random.integers(4)) for problem in range(20))
        sets = {"a": tuple(range(40)), "b": tuple(range(40, 80)), "a_prm": chosen[:10], "b_prm": chosen[10:]}
        made = gram_of(patterns.tolist(), sets, problems)
        values.append(random_selection_test(made, "a_prm", "b_prm", pools_of(made), draws=199, seed=seed).p_value)
    ranked = np.sort(values)
    distance = np.abs(ranked - (np.arange(200) + 0.5) / 200).max()
    assert distance < 1.63 / np.sqrt(200)
    assert np.mean(np.array(values) <= 0.05) < 0.1


@pytest.mark.parametrize(
    ("chosen", "other", "message"),
    [((0, 1), (4,), "a: a problem has two choices"), ((4,), (4,), "no candidate"), ((0,), (1,), "is in the other set")],
)
def test_choices_come_from_the_candidates_one_a_problem(
    chosen: tuple[int, ...], other: tuple[int, ...], message: str
) -> None:
    made = gram_of(PATTERNS, {"all": (0, 1, 2, 3), "chosen": chosen, "other": other}, PROBLEMS)
    with pytest.raises(InputError, match=message):
        random_selection_test(made, "chosen", "other", POOLS, seed=0)


def test_something_must_have_been_chosen() -> None:
    with pytest.raises(InputError, match="neither set was chosen"):
        random_selection_test(gram(0), "all", "other", POOLS, seed=0)
