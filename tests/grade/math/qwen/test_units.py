import pytest

from prmkit.grade.math.qwen.units import without_units


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("10 mph", "10 "),
        ("10 inches", "10 "),
        ("10 square feet", "10 "),
        ("10 profit of rs", "10 "),
        ("10 rs .", "10 "),
        ("12 sq m", "12 "),
        ("(cm)", "()"),
        ("10cm", "10cm"),  # it does not stand alone
        ("10 CM", "10 CM"),
        ("10 Surface", "10 "),
        ("10 m m m m", "10 "),  # two rounds, in each of which m and its plural go, two at a time
        ("m", "m"),
    ],
)
def test_words_that_stand_alone_are_removed(text: str, rest: str) -> None:
    assert without_units(text).rstrip() == rest.rstrip()
