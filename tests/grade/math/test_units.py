from fractions import Fraction

import pytest

from prmkit.grade.math.units import Unit, currency, one_name, singular, unit

METRE = (("length", 1),)


@pytest.mark.parametrize(
    ("text", "dimension", "factor"),
    [
        ("m", METRE, Fraction(1)),
        ("Kilometers", METRE, Fraction(1000)),
        ("ft.", METRE, Fraction(3048, 10_000)),
        ("inches", METRE, Fraction(254, 10_000)),
        ("cm^{2}", (("length", 2),), Fraction(1, 10_000)),
        ("sq. cm", (("length", 2),), Fraction(1, 10_000)),
        ("square centimeters", (("length", 2),), Fraction(1, 10_000)),
        ("meters squared", (("length", 2),), Fraction(1)),
        ("mL", (("length", 3),), Fraction(1, 10**6)),
        ("km/h", (("length", 1), ("time", -1)), Fraction(1000, 3600)),
        ("kilometers per hour", (("length", 1), ("time", -1)), Fraction(1000, 3600)),
        ("mph", (("length", 1), ("time", -1)), Fraction(1609344, 3_600_000)),
        ("m / s^{2}", (("length", 1), ("time", -2)), Fraction(1)),
        (r"\frac{ m }{ s }", (("length", 1), ("time", -1)), Fraction(1)),
        ("dollars a day", (("dollar", 1), ("time", -1)), Fraction(1, 86_400)),
        ("cents", (("dollar", 1),), Fraction(1, 100)),
        ("厘米", (("length", 1),), Fraction(1, 100)),
        ("平方米", (("length", 2),), Fraction(1)),
        ("个苹果", (("个苹果", 1),), Fraction(1)),
        ("degrees Celsius", (("celsius", 1),), Fraction(1)),
        ("apples", (("apple", 1),), Fraction(1)),
        ("children tickets", (("ticket", 1),), Fraction(1)),
        ("dollars in total", (("dollar", 1),), Fraction(1)),
        ("square units", (), Fraction(1)),
    ],
)
def test_what_a_unit_is_of(text: str, dimension: tuple[tuple[str, int], ...], factor: Fraction) -> None:
    assert unit(text) == Unit(dimension, factor)


@pytest.mark.parametrize("text", ["x", "k", "sin x", "mod 7", "ft x 18 ft"])
def test_what_is_no_unit(text: str) -> None:
    assert unit(text) is None


def test_without_a_space_a_letter_is_a_variable() -> None:
    assert [unit(text, spaced=False) is None for text in ("m", "in", "apples", "cm", "km/h", "°")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


def test_currencies_stand_in_front() -> None:
    dollars = currency("$")
    assert dollars == unit("dollars")
    assert currency("cm") is None
    assert one_name(unit("pounds") or Unit(()), currency("£") or Unit(()))
    assert not one_name(unit("dollars") or Unit(()), currency("£") or Unit(()))


@pytest.mark.parametrize(
    ("word", "one"),
    [("apples", "apple"), ("boxes", "box"), ("inches", "inch"), ("berries", "berry"), ("glass", "glass")],
)
def test_the_singular(word: str, one: str) -> None:
    assert singular(word) == one


@pytest.mark.parametrize(
    ("text", "dimension", "multiple"),
    [
        ("%", (("percent", 1),), Fraction(1, 100)),
        ("dozen", (), Fraction(12)),
        ("dozens of eggs", (), Fraction(12)),
        ("dozen eggs", (("egg", 1),), Fraction(12)),
        ("million dollars", (("dollar", 1),), Fraction(10**6)),
        ("hundred thousand", (), Fraction(10**5)),
    ],
)
def test_words_that_multiply(text: str, dimension: tuple[tuple[str, int], ...], multiple: Fraction) -> None:
    found = unit(text)
    assert found is not None
    assert (found.dimension, found.multiple) == (dimension, multiple)
