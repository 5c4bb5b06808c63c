import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.grade.math.forms import Expression, Number, Text
from prmkit.grade.math.forms.reading import MAX_LENGTH, read
from prmkit.grade.math.notation import plain
from tests.grade.math.forms.shown import shown

FRAGMENTS = r"{ } ( ) \{ [ ] , ; and = < \cup 1 12 x A \frac ^ _ $ % : C) ft 1/2 \pm"


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ("3 1/2", "7/2"),
        ("about 5", "5"),
        (r"\approx 3.14", "157/50"),
        ("x+1", "x+1"),
        ("x=1 \\text{ or } x=2", "x: list[1 2]"),
        ("(C) x=5 cm", "choice C: x: 5 length^1"),
    ],
)
def test_rules_read_parts_by_all_rules(answer: str, form: str) -> None:
    assert shown(read(answer)) == form


@given(st.text() | st.lists(st.sampled_from(FRAGMENTS.split())).map(" ".join))
def test_every_text_has_a_form(text: str) -> None:
    assert shown(read(text)) or plain(text).strip(" ,;") == ""


@pytest.mark.parametrize(
    "fragment", [r"\boxed{", "(", "{", " and ", "1,", "x=", "½", "C) ", r"\frac", "option C ", ":", r"\cup"]
)
def test_long_answers_are_compared_as_text_and_read_at_once(fragment: str) -> None:
    for length in (MAX_LENGTH, 200_000):
        start = time.monotonic()
        read(fragment * (length // len(fragment)))
        assert time.monotonic() - start < 3  # a tenth is usual
    assert read("x" * (MAX_LENGTH + 1)) == Text("x" * (MAX_LENGTH + 1))


def test_deep_brackets_are_compared_as_text() -> None:
    assert read("{" * 10_000 + "5" + "}" * 10_000) == Text("{" * 10_000 + "5" + "}" * 10_000)
    assert read("(" * 5 + "5" + ")" * 5) == Number(Fraction(5))


def test_the_step_of_a_decimal_is_its_last_place() -> None:
    assert read("0.50") == Number(Fraction(1, 2), Fraction(1, 100))
    assert read("1/2") == Number(Fraction(1, 2))


@pytest.mark.parametrize(
    "text", ["a^3 + a^2", "g-2a", "2a - g", "2f - J", "2x+2m", "AB + BC", "T-Ab", "3n + kW", "r^3-3h"]
)
def test_letters_of_a_sum_are_neither_units_nor_words(text: str) -> None:
    assert read(text) == Expression(text)
