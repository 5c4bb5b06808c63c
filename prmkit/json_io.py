"""JSON as others write it: numbers with all their digits, NaN, halves of surrogate pairs, arrays that break off."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from prmkit.digits import MOST, integer

_HALF_PAIR = re.compile("[\ud800-\udfff]")
_LONG_NUMBER = re.compile(rb"\d[\d.]{15}|\d[eE][-+\d]")
"""What orjson may read as another number than the one that stands there, wherever it stands."""

_SHAPE = bytes(ord("0" if chr(byte) in "0123456789.+-" else "e" if chr(byte) in "eE" else " ") for byte in range(256))
"""Bytes as far as ``_LONG_NUMBER`` tells them apart, roughly."""

_MOST_ZEROS = 10_000
_PLAIN_DIGITS = 4_000
"""Digits that Python writes without being told to (its limit is 4,300)."""


class LongFloat(float):
    """A number that no float holds exactly, as the nearest float and as the ``text`` that stood in the file."""

    text: str


def loads(data: bytes) -> Any:
    """The value that stands in some JSON.

    Integers are exact, decimals that no float holds are ``LongFloat``, ``NaN`` and ``Infinity`` are floats, tabs may
    stand in a text as they are, and half of a surrogate pair, which no file can hold, becomes U+FFFD.

    Raises:
        ValueError: it is no JSON, it is nested too deeply, or a number has over 100,000 digits.
    """
    if not _has_long_number(data):
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            pass  # perhaps only what orjson is strict about
    try:
        value = _DECODER.decode(data.decode())
        return _whole(value) if rb"\u" in data else value
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def array_items(data: bytes) -> Iterator[bytes]:
    """The JSON of each element of an array, as it stands; what follows a fault comes whole, as the last one."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        yield data
        return
    position = _next(text, 0) + 1
    while True:
        position = _next(text, position)
        if text[position : position + 1] in ("]", ""):
            rest = text[position + 1 :].strip() if text[position:] else "the array has no end"
            if rest:
                yield rest.encode()
            return
        try:
            end = _next(text, _SCANNER.raw_decode(text, position)[1])
        except (ValueError, RecursionError):
            yield text[position:].encode()
            return
        if text[end : end + 1] not in (",", "]", ""):
            yield text[position:].encode()
            return
        yield text[position:end].encode()
        position = end + 1 if text[end : end + 1] == "," else end


def number_text(number: float | Decimal) -> str:
    """A finite number in full: all digits that its file had, no exponent, and no fraction where it is whole.

    A number of more than 10,000 zeros keeps its exponent.
    """
    if isinstance(number, int):
        return str(number) if abs(number).bit_length() < 3 * _PLAIN_DIGITS else str(Decimal(number))
    exact = (
        Decimal(number.text if isinstance(number, LongFloat) else repr(number)) if isinstance(number, float) else number
    )
    digits, exponent = exact.as_tuple().digits, exact.as_tuple().exponent
    if not isinstance(exponent, int) or exponent > _MOST_ZEROS or exponent + len(digits) < -_MOST_ZEROS:
        return str(exact)
    text = format(exact, "f")
    whole, _, fraction = text.partition(".")
    return text if fraction.strip("0") else "0" if whole == "-0" else whole


def _has_long_number(data: bytes) -> bool:
    """Whether ``_LONG_NUMBER`` occurs: asked only where its shape does, which is found several times as fast."""
    shape = data.translate(_SHAPE)
    return (b"0" * 16 in shape or b"0e0" in shape) and _LONG_NUMBER.search(data) is not None


def _next(text: str, position: int) -> int:
    """Where the next thing but white space stands."""
    while text[position : position + 1] in (" ", "\t", "\r", "\n"):
        position += 1
    return position


def _integer(text: str) -> int:
    if len(text) > MOST:
        raise ValueError(f"a number of over {MOST:,} digits")
    return integer(text)


def _float(text: str) -> float:
    value = float(text)
    try:
        exact = len(text) <= MOST and Decimal(repr(value)) == Decimal(text)
    except InvalidOperation:  # an exponent beyond any machine's
        exact = False
    if exact:
        return value
    long = LongFloat(value)
    long.text = text
    return long


def _whole(value: Any) -> Any:
    """The value with every text whole."""
    if isinstance(value, str):
        return _HALF_PAIR.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    return value


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_float, strict=False)
_SCANNER = json.JSONDecoder(parse_int=len, parse_float=len, strict=False)
"""Finds where values end, without a look at the numbers."""
