"""Python values as JSON text, types kept: what programs are given and what they return.

A JSON value stands for itself. Other types are objects of one key, such as ``{"$tuple": [1, 2]}``. What has no such
form (a function, an array) comes back as an ``Opaque`` that equals nothing but itself, so it can never pass a test.

The encoder runs beside untrusted programs: standard library only. The decoder makes plain built-in values and nothing
else, whatever the text says.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from prmkit.digits import LONG, MOST, integer

_EXACT_INT = 1 << 63
"""From here on integers are written in hexadecimal: reading decimals of thousands of digits takes quadratic time."""
_PLAIN = frozenset((int, float, str, bool, type(None)))
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_REPR_CAP = 400


@dataclass(frozen=True, slots=True, eq=False)
class Opaque:
    """A value that has no text form: its type's name, and its repr without addresses."""

    kind: str
    text: str


def encode(value: Any) -> str:
    """The text of a value.

    Raises:
        RecursionError: it is nested too deeply, or holds itself.
    """
    return json.dumps(_packed(value))


def decode(text: str) -> Any:
    """The value of a text.

    Raises:
        ValueError: the text is not of this form, or an integer has over 100,000 decimal digits.
        RecursionError: it is nested too deeply.
    """
    parse_int = _integer if LONG.search(text) else None  # expected values of benchmarks have such
    try:
        return json.loads(text, object_hook=_unpacked, parse_int=parse_int)
    except (TypeError, ArithmeticError, KeyError, MemoryError) as error:
        raise ValueError(f"not a value ({error})") from None


def _integer(text: str) -> int:
    if len(text) > MOST:
        raise ValueError("too many digits")
    return integer(text)


def _packed(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        return value if -_EXACT_INT < value < _EXACT_INT else {"$int": hex(value)}
    if kind in _PLAIN:
        return value
    if kind is list:
        return _packed_list(value)
    pack = _PACKERS.get(kind)
    return pack(value) if pack is not None else _packed_as_base(value)


def _packed_list(values: Any) -> list[Any]:
    kinds = set(map(type, values))
    if kinds <= _PLAIN and (int not in kinds or all(-_EXACT_INT < v < _EXACT_INT for v in values if type(v) is int)):
        return list(values)
    return [_packed(value) for value in values]


def _packed_dict(value: dict[Any, Any]) -> dict[str, Any]:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: _packed(inner) for key, inner in value.items()}
    return {"$dict": [[_packed(key), _packed(inner)] for key, inner in value.items()]}


_PACKERS: dict[type, Callable[[Any], Any]] = {
    dict: _packed_dict,
    tuple: lambda value: {"$tuple": _packed_list(value)},
    set: lambda value: {"$set": sorted(map(_packed, value), key=json.dumps)},
    frozenset: lambda value: {"$frozenset": sorted(map(_packed, value), key=json.dumps)},
    complex: lambda value: {"$complex": [value.real, value.imag]},
    bytes: lambda value: {"$bytes": value.hex()},
    bytearray: lambda value: {"$bytes": value.hex()},
    range: lambda value: {"$range": [value.start, value.stop, value.step]},
    Decimal: lambda value: {"$decimal": str(value)},
    Fraction: lambda value: {"$fraction": [_packed(value.numerator), _packed(value.denominator)]},
}
_BASES: tuple[type, ...] = (int, float, str, list, tuple, dict, set, frozenset)


def _packed_as_base(value: Any) -> Any:
    """A Counter is a dict, a named tuple a tuple, a number of numpy a number; anything else is opaque."""
    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "shape", None) == ():
        return _packed(value.item())
    for base in _BASES:
        if isinstance(value, base):
            return _packed(_plain(value, base))
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    try:
        text = _ADDRESS.sub("", repr(value))[:_REPR_CAP]
    except Exception:
        text = ""
    return {"$object": [kind, text]}


def _plain(value: Any, base: type) -> Any:
    # The base class's own methods: a subclass may have redefined what its values seem to be.
    if base is str:
        return "".join(str.__iter__(value))
    if base is int:
        return int.__add__(value, 0)
    if base is float:
        return float.__add__(value, 0.0)
    walk: Any = dict.items if base is dict else base.__dict__["__iter__"]
    return base(walk(value))


def _unpacked(record: dict[str, Any]) -> Any:
    if len(record) != 1:
        return record
    (key, content), *_ = record.items()
    unpack = _UNPACKERS.get(key)
    return unpack(content) if unpack is not None else record


_UNPACKERS: dict[str, Callable[[Any], Any]] = {
    "$int": lambda text: int(text, 16),
    "$dict": dict,
    "$tuple": tuple,
    "$set": set,
    "$frozenset": frozenset,
    "$complex": lambda parts: complex(*parts),
    "$bytes": bytes.fromhex,
    "$range": lambda parts: range(*parts),
    "$decimal": Decimal,
    "$fraction": lambda parts: Fraction(*parts),
    "$object": lambda parts: Opaque(*map(str, parts)),
}
