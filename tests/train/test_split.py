import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.train.split import split


def held_out(prompts: str, share: float, seed: int) -> set[str]:
    return {prompts[row] for row in split(np.arange(len(prompts)), list(prompts), share, seed)[1]}


def test_a_split_stays_what_it_was() -> None:
    # The first three by the SHA-256 of "3:0" to "3:9": printf '3:0' | sha256sum
    assert held_out("0123456789", 0.3, 3) == set("548")


def test_both_sides_of_a_split_hold_a_problem() -> None:
    assert len(held_out("abc", 0.01, 0)) == 1
    assert len(held_out("abc", 0.99, 0)) == 2
    with pytest.raises(InputError, match="no problem can be held out"):
        held_out("a", 0.5, 0)


def test_problems_of_one_wording_are_one() -> None:
    with pytest.raises(InputError, match="got '1 problem"):
        split(np.array([0, 1]), ["a  b", "a b "], 0.5, 0)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=30), st.floats(0.01, 0.99), st.integers(0, 5))
def test_rows_of_a_problem_stay_together_where_its_first_one_was(of: list[int], share: float, seed: int) -> None:
    prompts = ["a", "b", "c", "a ", "d", "e"]  # the fourth is the first in other words
    wordings = [prompts[problem].strip() for problem in of]
    if len(set(wordings)) < 2:
        return
    sides = [[wordings[row] for row in side] for side in split(np.array(of), prompts, share, seed)]
    assert sorted(sides[0] + sides[1]) == sorted(wordings)
    assert not set(sides[0]) & set(sides[1])
    for side in sides:
        assert side == sorted(side, key=wordings.index)
