from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.grade.math.agreement import ALIKE, DIFFERENT, SAME, Agreement, agree
from prmkit.grade.math.forms import numbers
from prmkit.grade.math.forms.reading import read


class ByText:
    """An algebra that knows x+1 and 1+x, and nothing else."""

    def equal(self, one: str, other: str | Fraction, within: Fraction) -> bool:
        return {one, other} == {"x+1", "1+x"}

    def equivalent(self, one: str, other: str, *, equations: bool) -> bool:
        return False


def agreement(one: str, other: str) -> Agreement:
    return agree(read(one), read(other), ByText())


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("5", "5.0", SAME),
        ("5 cm", "50 mm", SAME),
        ("5 cm", "5", ALIKE),
        ("5 cm", "5 km", DIFFERENT),
        ("x=5", "5", ALIKE),
        ("x=5", "y=5", DIFFERENT),
        ("y=x+1", "f(x)=1+x", SAME),
        ("C", "(C) 12", ALIKE),
        ("(C) 12", "12", ALIKE),
        ("(C) x^2+y^2=13", "x^2+y^2=13", ALIKE),
        ("(C) 12", "(C) the sum", ALIKE),
        ("0.333333", r"\frac13", ALIKE),
        ("1,2", "2,1", SAME),
        ("1,2", r"\{1,2\}", SAME),
        ("1,2", "(1,2)", ALIKE),
        ("1,x+1", "1+x,1", SAME),
        ("1 cm, 2", "2, 1", ALIKE),
        ("1<x<2", "(1,2)", ALIKE),
        ("4:30 pm", "16:30", ALIKE),
        ("4:30 pm", "4:30 am", DIFFERENT),
        ("35%", "0.35", ALIKE),
        ("yes", "The Yes!", SAME),
        ("yes", "1", DIFFERENT),
        ("101_2", "101", DIFFERENT),
        ("x^2+y^2=13", "13", DIFFERENT),
        (r"\{5\}", "5", ALIKE),
        ("10 m/s", "10 m s^{-1}", SAME),
        ("a^3 + a^2", "a^3", DIFFERENT),
        ("5 a day", "5 per day", SAME),
        ("b)", r"\mathbf{B}", SAME),
        ("b) fifteen", "16", DIFFERENT),
        ("no solution", "No solutions.", SAME),
        ("5 : 3", "5 to 3", SAME),
        (r"\left. 42 \right.", "42", SAME),
    ],
)
def test_how_equal_two_answers_are(one: str, other: str, expected: Agreement) -> None:
    assert agreement(one, other) is agreement(other, one) is expected


PARTS = [
    "1",
    "2",
    "2.0",
    "x+1",
    "1+x",
    "C",
    "yes",
    "1 cm",
    "10 mm",
    "1%",
    "x=1",
    "(1,2)",
    "1<x<2",
    "[1,2)",
    "4:30",
    "101_2",
]
ANSWERS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map(", ".join)


@given(ANSWERS, ANSWERS)
def test_equality_is_symmetric_and_reflexive(one: str, other: str) -> None:
    assert agreement(one, other) is agreement(other, one)
    assert agreement(one, one) is SAME


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1, 5 cm", "5, 1", ALIKE),
        ("1, 1%", "1 cm, 1", DIFFERENT),  # the bare ones are the same, which leaves 1% and 1 cm
        ("1 cm, 1, 1%", "1%, 1, 1 cm", SAME),
        ("1, 1 m, 2", "2, 1, 1", ALIKE),
        ("5, x=5 cm", "5 cm, 5 km", ALIKE),  # 5 could be with either, x=5 cm with 5 cm alone
        ("x+1, 1+x, 2", "2, 1+x, x+1", SAME),
    ],
)
def test_items_of_lists_pair_off_the_same_ones_first(one: str, other: str, expected: Agreement) -> None:
    assert agreement(one, other) is agreement(other, one) is expected


@given(st.lists(st.sampled_from(["1", "2", "x+1", "5 cm", "(1,2)"]), min_size=2, max_size=5), st.randoms())
def test_a_list_is_the_same_in_any_order(items: list[str], random) -> None:
    mixed = random.sample(items, len(items))
    assert agreement("; ".join(items), "; ".join(mixed)) is SAME


@given(st.lists(st.integers(0, 3), min_size=2, max_size=5), st.lists(st.integers(0, 3), min_size=2, max_size=5))
def test_lists_of_numbers_are_compared_as_multisets_and_tuples_in_order(one: list[int], other: list[int]) -> None:
    bare = [", ".join(map(str, numbers)) for numbers in (one, other)]
    assert agreement(*bare) is (SAME if sorted(one) == sorted(other) else DIFFERENT)
    assert agreement(f"({bare[0]})", f"({bare[1]})") is (SAME if one == other else DIFFERENT)
    sets = [rf"\{{{text}\}}" for text in bare]
    assert agreement(*sets) is (SAME if set(one) == set(other) else DIFFERENT)


PARTS = st.sampled_from(["1", "2", "2.0", "0.5", "1/2", "x=2", "0.333333", r"\frac13", r"\{1\}", "(1,2)", "2 cm", "y"])
SHAPES = st.sampled_from(["{},{}", "({},{})", "[{},{})", r"\{{{},{}\}}", "{} and {}", "[{}]", "{}:{}", "x={}", "{}"])


@given(*2 * (st.builds(str.format, SHAPES, PARTS, PARTS),))
def test_forms_of_different_numbers_are_never_equal(one: str, other: str) -> None:
    first, second = numbers(read(one)), numbers(read(other))
    if first is not None and second is not None and first != second:
        assert agreement(one, other) is DIFFERENT
