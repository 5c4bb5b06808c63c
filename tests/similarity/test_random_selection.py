import pytest

from prmkit.errors import InputError
from prmkit.similarity.random_selection import random_selection_test
from tests.similarity.grams import gram_of

# Two problems with two candidates each; row 4 is the other set, along the first axis.
PATTERNS = [(1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.0, 1.0), (1.0, 0.0)]
PROBLEMS = ["a", "a", "b", "b", "x"]


def gram(*chosen: int) -> object:
    return gram_of(PATTERNS, {"all": (0, 1, 2, 3), "chosen": chosen, "other": (4,)}, PROBLEMS)


def test_the_best_choice_is_as_likely_as_a_quarter_of_all() -> None:
    found = random_selection_test(gram(0, 2), candidates="all", chosen="chosen", other="other", draws=4000, seed=0)  # type: ignore[arg-type]
    assert (found.observed, found.expected, found.problems) == (100.0, 50.0, 2)
    assert found.p_value == pytest.approx(0.25, abs=0.03)


def test_the_worst_choice_is_always_reached() -> None:
    found = random_selection_test(gram(1, 3), candidates="all", chosen="chosen", other="other", draws=100, seed=0)  # type: ignore[arg-type]
    assert (found.observed, found.p_value) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("chosen", "other", "message"),
    [((0, 1), (4,), "a: a problem has two choices"), ((4,), (4,), "no candidate"), ((0,), (1,), "is in the other set")],
)
def test_choices_come_from_the_candidates_one_a_problem(
    chosen: tuple[int, ...], other: tuple[int, ...], message: str
) -> None:
    made = gram_of(PATTERNS, {"all": (0, 1, 2, 3), "chosen": chosen, "other": other}, PROBLEMS)
    with pytest.raises(InputError, match=message):
        random_selection_test(made, candidates="all", chosen="chosen", other="other", seed=0)
