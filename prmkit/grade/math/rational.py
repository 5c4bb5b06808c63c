r"""Exact rational numbers in every way of writing them: ``3 1/2``, ``0.\overline{36}``, ``1.6\cdot 10^{-19}``, ``50!``.

What has more digits than anybody writes (a tower of powers) is not computed: the size of a result is known before it
is.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from math import factorial

from prmkit.digits import integer

MAX_BITS = 100_000
"""Of a numerator or denominator; 30,000 digits."""
_MAX_DEPTH = 40
_MAX_FACTORIAL = 5000


class TooLarge(Exception):
    """A number that is not computed."""


@dataclass(frozen=True, slots=True)
class Written:
    """A number, and how exactly it is said.

    Attributes:
        value: the number.
        step: what its last digit counts, for a decimal that may have been rounded; None for what is exact by its form.
    """

    value: Fraction
    step: Fraction | None = None


_SIGNED_DECIMAL = re.compile(r"([+-]?)\s*(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?")
_GROUPED = re.compile(r"([+-]?)\s*(\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+)(\.\d+)?")
_MIXED = re.compile(r"([+-]?)\s*(\d+)\s*(?:\s|\band\b)\s*(\d+)\s*/\s*(\d+)")
_ENDLESS = re.compile(r"([+-]?)\s*(\d*)\.(\d*?)(\d+?)\4+\d?\.\.\.")


def written(text: str) -> Written | None:
    """The rational number that a plain text (notation.py) writes, or None.

    Raises:
        TooLarge: it is one of more than MAX_BITS bits.
    """
    if decimal := _SIGNED_DECIMAL.fullmatch(text):
        return _decimal(*decimal.groups())
    if grouped := _GROUPED.fullmatch(text):
        sign, digits, places = grouped.groups()
        return _decimal(sign, re.sub("[, ]", "", digits), (places or "")[1:] or None, None)
    if mixed := _MIXED.fullmatch(text):
        sign, whole, numerator, denominator = mixed.groups()
        if not 0 < integer(numerator) < integer(denominator):
            return None
        value = integer(whole) + Fraction(integer(numerator), integer(denominator))
        return Written(-value if sign == "-" else value)
    if text.endswith("..."):
        return _endless(text)
    if re.search(r"[a-zA-Z]", re.sub(r"\\(?:frac|sqrt|cdot|overline|dot)(?![a-zA-Z])|\d[eE][+-]?\d", "", text)):
        return None
    try:
        value = _Reader(text).whole()
    except (_NotRational, ZeroDivisionError):
        return None
    return Written(value)


def tolerance(value: Fraction, step: Fraction | None) -> Fraction:
    """How far a decimal may be from what it is rounded from: its last place, if it has six places and six digits."""
    return step if step is not None and step * 10**6 <= 1 and step * 10**5 <= abs(value) else Fraction(0)


def _decimal(sign: str, whole: str, places: str | None, exponent: str | None) -> Written | None:
    if not whole and not places:
        return None
    digits = whole + (places or "")
    shift = int(exponent or 0) - len(places or "")
    if abs(shift) * 3.33 + len(digits) * 3.33 > MAX_BITS:
        raise TooLarge
    value = Fraction(integer(digits)) * Fraction(10) ** shift
    exact = places is None and exponent is None
    return Written(-value if sign == "-" else value, None if exact else Fraction(10) ** shift)


def _endless(text: str) -> Written | None:
    """``0.333...`` is a third; ``3.14159...`` is known to its last digit."""
    if repeating := _ENDLESS.fullmatch(text):
        sign, whole, places, period = repeating.groups()
        if len(text.rstrip(".").rpartition(".")[2]) - len(places) >= max(3, 2 * len(period)):
            return Written((-1 if sign == "-" else 1) * _repeating(whole, places, period))
    decimal = _SIGNED_DECIMAL.fullmatch(text.removesuffix("..."))
    return _decimal(*decimal.groups()) if decimal and decimal[3] else None


def _repeating(whole: str, places: str, period: str) -> Fraction:
    scale = 10 ** len(places)
    return Fraction(integer(whole + places or "0"), scale) + Fraction(integer(period), scale * (10 ** len(period) - 1))


class _NotRational(Exception):
    pass


_TOKEN = re.compile(
    r"\s*(?:(?P<repeating>\d*\.\d*(?:\\overline\{\d+\}|\(\d+\)|\\dot\{\d\}(?:\d*\\dot\{\d\})?))"
    r"|(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d*)?(?:[eE][+-]?\d{1,6})?|\.\d+)"
    r"|\\(?P<command>frac|sqrt|cdot)(?![a-zA-Z])|(?P<sign>[-+/^!(){}\[\]]))"
)
_CLOSING = {"(": ")", "{": "}", "[": "]"}


class _Reader:
    """Recursive descent over sums, products, powers and factorials of numbers."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at, text = 0, text.strip()
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None or token.end() == at:
                raise _NotRational
            kind = token.lastgroup or ""
            self._tokens.append((kind, token[kind]))
            at = token.end()
        self._at, self._depth = 0, 0

    def whole(self) -> Fraction:
        value = self._sum()
        if self._at != len(self._tokens):
            raise _NotRational
        return value

    def _next(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, *texts: str) -> str:
        kind, text = self._next()
        if kind in ("sign", "command") and text in texts:
            self._at += 1
            return text
        return ""

    def _sum(self) -> Fraction:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _NotRational
        value = self._product()
        while sign := self._take("+", "-"):
            other = self._product()
            value = _small(value + other if sign == "+" else value - other)
        self._depth -= 1
        return value

    def _product(self) -> Fraction:
        value = self._signed()
        while True:
            if self._take("cdot"):
                value = _small(value * self._signed())
            elif self._take("/"):
                value = _small(value / self._signed())
            elif self._next()[1] in ("(", "{", "frac", "sqrt") and self._next()[0] in ("sign", "command"):
                value = _small(value * self._power())
            else:
                return value

    def _signed(self) -> Fraction:
        negative = False
        while sign := self._take("+", "-"):
            negative ^= sign == "-"
        value = self._power()
        return -value if negative else value

    def _power(self) -> Fraction:
        base = self._factorial(self._factor())
        if not self._take("^"):
            return base
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _NotRational
        exponent = self._signed()
        self._depth -= 1
        return _power(base, exponent)

    def _factorial(self, value: Fraction) -> Fraction:
        if not self._take("!"):
            return value
        if self._take("!"):  # a double factorial
            raise _NotRational
        return _factorial(value)

    def _factor(self) -> Fraction:
        kind, text = self._next()
        self._at += 1
        if kind == "repeating":
            return _repeated(text)
        if kind == "number":
            return self._mixed(text)
        if text in _CLOSING and kind == "sign" and text != "[":
            return self._inside(text)
        if text == "frac":
            return self._fraction()
        if text == "sqrt":
            degree = Fraction(2)
            if self._take("["):
                degree = self._inside("[")
            self._expect("{")
            return _power(self._inside("{"), 1 / degree)
        raise _NotRational

    def _mixed(self, text: str) -> Fraction:
        r"""A literal; ``3\frac{1}{2}`` is three and a half."""
        decimal = _SIGNED_DECIMAL.fullmatch(text.replace(",", ""))
        number = _decimal(*decimal.groups()) if decimal else None
        if number is None:
            raise _NotRational
        if text.isdecimal() and self._next() == ("command", "frac"):
            start = self._at
            self._at += 1
            part = self._fraction()
            plain = all(kind == "number" or text in "{}" for kind, text in self._tokens[start + 1 : self._at])
            return number.value + part if plain and 0 < part < 1 else _small(number.value * part)
        return number.value

    def _fraction(self) -> Fraction:
        self._expect("{")
        numerator = self._inside("{")
        self._expect("{")
        return _small(numerator / self._inside("{"))

    def _inside(self, opening: str) -> Fraction:
        value = self._sum()
        self._expect(_CLOSING[opening])
        return value

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise _NotRational


def _small(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise TooLarge
    return value


def _repeated(text: str) -> Fraction:
    whole, _, rest = text.partition(".")
    places, period = re.split(r"(?=\\|\()", rest, maxsplit=1)
    return _repeating(whole, places, re.sub(r"[^\d]", "", period))


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or value < 0:
        raise _NotRational
    if value > _MAX_FACTORIAL:
        raise TooLarge
    return Fraction(factorial(int(value)))


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator > 64 or (base == 0 and exponent <= 0):
        raise _NotRational
    root = _root(base, exponent.denominator)
    bits = max(root.numerator.bit_length(), root.denominator.bit_length())
    if root not in (0, 1, -1) and abs(exponent.numerator) * (bits - 1) > MAX_BITS:
        raise TooLarge
    return root ** (exponent.numerator % 2 + 2 if root in (1, -1) else exponent.numerator)


def _root(value: Fraction, degree: int) -> Fraction:
    """The exact root, where it is rational."""
    if degree == 1:
        return value
    if value < 0:
        raise _NotRational
    return Fraction(_integer_root(value.numerator, degree), _integer_root(value.denominator, degree))


def _integer_root(value: int, degree: int) -> int:
    if value.bit_length() > 5000:
        raise _NotRational
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle - 1)
    if low**degree != value:
        raise _NotRational
    return low
