import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.grade.code.equality import same_text, same_value
from prmkit.sandbox.values import Opaque


@pytest.mark.parametrize(
    ("returned", "expected", "same"),
    [
        (3, 3, True),
        (3, 4, False),
        (10**20, 10**20 + 1, False),  # integers are exact, though equal as floats
        (3.0, 3, True),
        (0.1 + 0.2, 0.3, True),
        (1.0, 1.00001, False),
        (float("nan"), float("nan"), False),
        (1.0, 10**400, False),
        (True, 1, True),  # as Python's ==
        ("1", 1, False),
        (None, 0, False),
        ([1, [2.0000000001]], [1, [2]], True),
        ([1], [1, 2], False),
        ({"a": [0.5]}, {"a": [0.5]}, True),
        ({"a": 1}, {"b": 1}, False),
    ],
)
def test_values_compare_exactly_but_floats(returned: object, expected: object, same: bool) -> None:
    assert same_value(returned, expected) is same


def test_what_has_no_text_is_the_same_only_as_its_like() -> None:
    assert same_value(Opaque("a.A", "A()"), Opaque("a.A", "A()"))
    assert not same_value(Opaque("a.A", "A()"), Opaque("a.B", "A()"))


def test_texts_are_the_same_if_their_values_are() -> None:
    assert same_text('{"$tuple": [1, 2]}', "[1, 2.0]")
    assert not same_text("no value", "no value")


VALUES = st.recursive(
    st.integers(-2, 2) | st.floats(-2, 2) | st.booleans() | st.none() | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
)


@given(VALUES, VALUES)
def test_it_does_not_matter_which_value_is_named_first(one: object, other: object) -> None:
    assert same_value(one, one)
    assert same_value(one, other) is same_value(other, one)
