import json
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.json_io import LongFloat, array_items, loads, number_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("72", "72"),
        ("72.0", "72"),
        ("-0.0", "0"),
        ("0.1", "0.1"),
        ("2.50", "2.5"),
        ("1e3", "1000"),
        ("1e23", "1" + "0" * 23),  # the nearest float is 99999999999999991611392
        ("12345678901234567890123", "12345678901234567890123"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ("123456789.0123456789", "123456789.0123456789"),
        ("1E-7", "0.0000001"),
        ("1e400", "1" + "0" * 400),  # beyond every float
        ("1e-400", "0." + "0" * 399 + "1"),
        ("9" * 4301, "9" * 4301),  # more digits than Python converts without being asked
        ("1e999999999999", "1E+999999999999"),  # written out, it would fill the memory
    ],
)
def test_a_number_keeps_all_its_digits(written: str, text: str) -> None:
    assert number_text(loads(f'{{"a": {written}}}'.encode())["a"]) == text


def test_numbers_that_a_float_holds_are_plain_numbers() -> None:
    read = loads(b"[1, 0.5, 0.30000000000000004, 1e22, 123456789012345678901]")
    assert [type(each) for each in read] == [int, float, float, float, int]
    long = loads(b"0.12345678901234567890")
    assert isinstance(long, LongFloat)
    assert long == 0.12345678901234567890


def test_a_number_that_is_too_long_to_be_one_is_refused() -> None:
    with pytest.raises(ValueError, match="over 100,000 digits"):
        loads(b"1" * 100_001)


def test_what_others_write_although_json_has_it_not() -> None:
    assert math.isnan(loads(b'{"loss": NaN}')["loss"])
    assert loads(b"[-Infinity]") == [-math.inf]
    assert loads(b'["a\tb"]') == ["a\tb"]
    assert loads(b'{"a": ["cut \\ud835"], "\\udd38": 1}') == {"a": ["cut \ufffd"], "\ufffd": 1}
    assert loads(b'["\\ud83e\\uddee"]') == ["\U0001f9ee"]
    assert loads(b'["\\\\ud835"]') == ["\\ud835"]  # a backslash, and no surrogate


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"[1,]", "Expecting value"),
        (b"[" * 100_000, "nested too deeply"),
        (b'"\xff"', "can't decode byte"),
    ],
)
def test_what_is_no_json_is_a_value_error(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loads(data)


@given(JSON)
def test_what_json_wrote_is_read_back(value: object) -> None:
    assert loads(json.dumps(value).encode()) == value


NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,20})([.][0-9]{1,20})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)


@given(NUMBERS, st.text(alphabet="0.e-+x", max_size=20))
def test_any_number_keeps_all_its_digits_beside_any_text(number: str, text: str) -> None:
    read = loads(f'{{"{text}":["{text}", {number}]}}'.encode())[text]
    assert (read[0], Decimal(number_text(read[1]))) == (text, Decimal(number))


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_written_number_is_the_number(number: Decimal) -> None:
    assert Decimal(number_text(number)) == number


@given(st.lists(JSON, max_size=5), st.sampled_from([None, 1]))
def test_an_array_is_its_items(values: list[object], indent: int | None) -> None:
    assert [loads(item) for item in array_items(json.dumps(values, indent=indent).encode())] == values


@pytest.mark.parametrize(
    ("data", "good", "rest"),
    [
        (b'[{"a": 1}, {"b": ', [b'{"a": 1}'], b'{"b":'),
        (b'[{"a": 1}, nope, {"b": 2}]', [b'{"a": 1}'], b'nope, {"b": 2}]'),
        (b"[1 2]", [], b"1 2]"),
        (b"[1] more", [b"1"], b"more"),
        (b"[1,", [b"1"], b"the array has no end"),
        (b"[1", [b"1"], b"the array has no end"),
        (b"[\xff]", [], b"[\xff]"),
    ],
)
def test_behind_a_fault_nothing_is_lost_but_told(data: bytes, good: list[bytes], rest: bytes) -> None:
    assert [item.strip() for item in array_items(data)] == [*good, rest]
