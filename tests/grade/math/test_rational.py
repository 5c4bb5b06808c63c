from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.grade.math.rational import TooLarge, Written, integer, tolerance, written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", Fraction(7)),
        ("-07", Fraction(-7)),
        ("10,000", Fraction(10_000)),
        ("10 000", Fraction(10_000)),
        ("3 1/2", Fraction(7, 2)),
        ("-3 1/2", Fraction(-7, 2)),
        (r"137\frac{1}{2}", Fraction(275, 2)),
        (r"2\frac{3}{2}", Fraction(3)),  # no mixed number: a product
        (r"0.\overline{36}", Fraction(4, 11)),
        (r"0.1\overline{6}", Fraction(1, 6)),
        ("0.(3)", Fraction(1, 3)),
        (r"0.\dot{3}", Fraction(1, 3)),
        ("0.333...", Fraction(1, 3)),
        ("0.1666...", Fraction(1, 6)),
        ("0.3636...", Fraction(4, 11)),
        (r"1.6\cdot 10^{-19}", Fraction(16, 10**20)),
        ("3.14e5", Fraction(314_000)),
        ("50!", Fraction(30414093201713378043612608166064768844377641568960512000000000000)),
        ("2^3!", Fraction(64)),
        ("-2^2", Fraction(-4)),
        ("(-2)^2", Fraction(4)),
        ("8^{2/3}", Fraction(4)),
        (r"\sqrt{16}", Fraction(4)),
        (r"\sqrt[3]{27}", Fraction(3)),
        ("1/2/3", Fraction(1, 6)),
        ("3(4)", Fraction(12)),
        ("--5", Fraction(5)),
        ("2-1/2", Fraction(3, 2)),
        ("(-1)^{9999999}", Fraction(-1)),
    ],
)
def test_a_number_in_every_way_of_writing_it(text: str, value: Fraction) -> None:
    number = written(text)
    assert number is not None
    assert number.value == value


@pytest.mark.parametrize(
    "text",
    ["", ".", "-", "2x", "1,2", "1 2", "4 10/3", "0^0", "1/0", "5!!", r"\sqrt{2}", "(-2)^{1/2}", r"\pi", "(", "2)"],
)
def test_what_is_no_rational_number(text: str) -> None:
    assert written(text) is None


@pytest.mark.parametrize("text", ["9^{9^{9^9}}", "2^{3^{11^9}}", "((9!)!)!", "1e999999"])
def test_a_tower_is_not_computed(text: str) -> None:
    with pytest.raises(TooLarge):
        written(text)


def test_nested_brackets_are_limited() -> None:
    assert written("(" * 30 + "5" + ")" * 30) == Written(Fraction(5))
    assert written("(" * 10_000 + "5" + ")" * 10_000) is None


def test_integers_of_any_number_of_digits() -> None:
    assert integer("1" + 5000 * "0") == 10**5000  # int() refuses
    assert written("1" + 5000 * "0") == Written(Fraction(10**5000))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**6), max_value=10**6))
def test_decimals_are_exact(number) -> None:
    assert written(str(number)) == Written(Fraction(str(number)), Fraction(1, 10_000))


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [
        ("0.333333", 6, Fraction(1, 10**6)),  # six digits, six places
        ("0.33333", 5, Fraction(0)),
        ("0.000001", 6, Fraction(0)),  # one digit
        ("3.14159", 5, Fraction(0)),
        ("3.141593", 6, Fraction(1, 10**6)),
    ],
)
def test_a_decimal_stands_for_others_within_its_last_place_if_it_is_long(value: str, step: int, expected) -> None:
    assert tolerance(Fraction(value), Fraction(1, 10**step)) == expected
    assert tolerance(Fraction(value), None) == 0
