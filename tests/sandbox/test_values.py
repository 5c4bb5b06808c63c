import json
from collections import Counter, OrderedDict, namedtuple
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.sandbox.values import Opaque, decode, encode

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.complex_numbers(allow_nan=False),
    st.decimals(allow_nan=False),
    st.fractions(),
)
HASHABLE = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=8)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.sets(HASHABLE, max_size=3)
    ),
    max_leaves=12,
)


def same(one: object, other: object) -> bool:
    """Equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))  # type: ignore[arg-type]
    return one == other


@given(VALUES)
def test_values_come_back_with_their_types(value: object) -> None:
    assert same(decode(encode(value)), value)


@given(st.recursive(st.none() | st.integers(-9, 9) | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_json_stands_for_itself(value: object) -> None:
    assert same(decode(json.dumps(value)), value) or "$" in json.dumps(value)


def test_special_values_by_hand() -> None:
    assert encode((1, {2})) == '{"$tuple": [1, {"$set": [2]}]}'
    assert encode({1: "a"}) == '{"$dict": [[1, "a"]]}'
    assert encode({"$tuple": [1]}) == '{"$dict": [["$tuple", [1]]]}'  # no text can pose as a tag
    assert encode(float("inf")) == "Infinity"
    assert decode(encode(10**6000)) == 10**6000  # beyond what int() reads in decimal
    assert decode(f"[-1{'0' * 5000}, 12, 1.5]") == [-(10**5000), 12, 1.5]
    with pytest.raises(ValueError, match="too many digits"):
        decode("1" * 100_001)
    assert encode({3, 1, 2}) == encode({2, 3, 1})
    assert decode(encode([Decimal("1.50"), Fraction(1, 3), range(1, 9, 2)])) == [
        Decimal("1.5"),
        Fraction(1, 3),
        range(1, 9, 2),
    ]


def test_subclasses_are_what_they_derive_from() -> None:
    point = namedtuple("point", "x y")
    assert encode(Counter("aab")) == '{"a": 2, "b": 1}'
    assert encode(OrderedDict(a=1)) == '{"a": 1}'
    assert decode(encode(point(1, 2))) == (1, 2)

    class Liar(str):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = str.__hash__

    assert type(decode(encode(Liar("no")))) is str


def test_what_has_no_text_is_opaque_and_equals_nothing() -> None:
    one, other = decode(encode(print)), decode(encode(print))
    assert isinstance(one, Opaque)
    assert one != other
    assert "0x" not in encode(object())


@pytest.mark.parametrize(
    "text",
    ['{"$set": [[1]]}', '{"$bytes": "xyz"}', '{"$int": "z"}', '{"$fraction": [1, 0]}', '{"$complex": 1}', "[", "'a'",
     '{"$dict": [[[1], 2]]}', '{"$range": ["a"]}', '{"$decimal": "x"}'],
)  # fmt: skip
def test_what_is_no_value_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text)
