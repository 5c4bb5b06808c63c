"""When two values of programs are the same, by prmkit's own rule."""

import math
from typing import Any

from prmkit.sandbox import values
from prmkit.sandbox.values import Opaque


def same_value(returned: Any, expected: Any) -> bool:
    """Whether two values are the same: floats within 1e-6 (relative or absolute), all else as Python's ``==``.

    A tuple is taken for the list that JSON makes of it.
    """
    if isinstance(returned, Opaque) and isinstance(expected, Opaque):
        return (returned.kind, returned.text) == (expected.kind, expected.text)
    if isinstance(returned, list | tuple) and isinstance(expected, list | tuple):
        return len(returned) == len(expected) and all(map(same_value, returned, expected))
    if isinstance(returned, dict) and isinstance(expected, dict):
        return returned.keys() == expected.keys() and all(same_value(returned[key], expected[key]) for key in returned)
    numbers = isinstance(returned, int | float) and isinstance(expected, int | float)
    if numbers and (isinstance(returned, float) or isinstance(expected, float)):
        try:
            return math.isclose(returned, expected, rel_tol=1e-6, abs_tol=1e-6)
        except OverflowError:
            return False
    return bool(returned == expected)


def same_text(returned: str, expected: str) -> bool:
    """As same_value, on text; what an untrusted program returned need not be a value, and is then none."""
    try:
        return same_value(values.decode(returned), values.decode(expected))
    except (ValueError, RecursionError):
        return False
