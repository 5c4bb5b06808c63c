import pytest

from prmkit.grade.math.forms.reading import read
from tests.grade.math.forms.shown import shown


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ("2^{3^{11^9}}", "'2^{3^{11^9}}'"),
        ("5 ft 6 in", "11/2 length^1"),
        (r"5\text{ hours and }30\text{ minutes}", "11/2 time^1"),
        ("5 apples and 3 oranges", "list[5 apple^1 3 orange^1]"),
        ("$18/hour", "18 dollar^1 time^-1"),
        ("1,000 m", "1000 length^1"),
        (r"\frac{3}{4}\pi\text{ inches}", r"\frac{3}{4}\pi length^1"),
        (r"45 \text{ units}^2", "45"),
        ("5m", "5m"),
        ("2 k", "2 k"),
        (r"\cos 58^\circ", r"\cos 58°"),
        (r"10 \mathrm{ft} x 18 \mathrm{ft}", "10 ft x 18 ft"),
        ("1:03 PM", "1:03pm"),
        ("12:00", "12:00"),
        ("9 a.m.", "9:00am"),
        ("3:4", "3/4"),
        ("2:4:6", "ratio[1 2 3]"),
        ("-221_3", "-221 base 3"),
        ("19_2", "19_2"),
        ("A_1", "A_1"),
        ("0.0011_{2}", ".0011 base 2"),
        ("12_{10}", "12"),
    ],
)
def test_amounts(answer: str, form: str) -> None:
    assert shown(read(answer)) == form
