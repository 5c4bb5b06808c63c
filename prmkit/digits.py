"""Integers of more digits than Python converts without being told to, which data sets have.

Standard library only: the walls around untrusted programs hold it too.
"""

import re
from decimal import Decimal

MOST = 100_000
"""No more are read: the time grows faster than their number."""

LONG = re.compile(r"\d{4301}")
"""In a text, more than Python takes."""

_PLAIN = 4_000


def integer(digits: str) -> int:
    """The integer that any number of digits spell."""
    return int(digits) if len(digits) < _PLAIN else int(Decimal(digits))
