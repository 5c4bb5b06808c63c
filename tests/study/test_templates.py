import pytest

from prmkit.study.templates import Name, filled, names_in


def test_names_are_found_in_every_text_of_a_value() -> None:
    value = {"a": ["{x}/y", {"b": "{p.q}-{x}"}], "c": 3, "{not a key}": "plain {} { x } text"}
    assert list(names_in(value)) == [Name("x", None), Name("p", "q"), Name("x", None)]


@pytest.mark.parametrize(
    ("template", "value"),
    [("{x}", 7), ("{x}/{x}", "7/7"), (["{y}", 1], [[1, 2], 1]), ({"k": "a-{y}"}, {"k": "a-[1, 2]"}), (None, None)],
)
def test_a_text_that_is_one_name_becomes_the_value_itself(template: object, value: object) -> None:
    assert filled(template, lambda name: {"x": 7, "y": [1, 2]}[name.name]) == value
