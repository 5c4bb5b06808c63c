import pytest

from prmkit.grade.math.qwen.number_words import number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ten", "10"),
        ("Twenty-One", "21"),
        ("one hundred", "100"),
        ("two hundred and five", "205"),
        ("one hundred twenty three", "123"),
        ("three thousand two hundred", "3200"),
        ("twenty three thousand", "23000"),
        ("two billion one million three thousand four", "2001003004"),
        ("million", "1000000"),
        ("five point two", "5.2"),
        ("point five", "0.5"),
        ("five point twelve", "5"),  # behind the point only digits count
        ("six of the apples", "6"),
        ("two million three thousand", "2004003"),  # a fault of the package: the end counts once more
        ("007", "7"),
        ("-7", None),
        ("apples", None),
        ("thousand thousand", None),
        ("three thousand two million", None),
        ("", None),
    ],
)
def test_words_make_numbers(text: str, value: str | None) -> None:
    assert number(text) == value
