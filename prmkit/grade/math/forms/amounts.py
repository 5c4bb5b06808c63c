"""One amount: numbers, quantities with their units, times of day, digits in a base."""

import re
from fractions import Fraction

from prmkit.grade.math import units
from prmkit.grade.math.forms import Based, Expression, Form, Group, Inner, Number, Quantity, Text, TimeOfDay
from prmkit.grade.math.forms.words import has_variables
from prmkit.grade.math.notation import compact
from prmkit.grade.math.rational import TooLarge, written

_CLOCK = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*([ap])\.?\s?m\.?|(\d{1,2}):(\d{2})", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/\d{4}")
_BASES = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_IN_BASE = re.compile(
    r"(-?)\(?([0-9A-Z][0-9A-Z. ,]*?)\)?\s*"
    r"(?:_\s*\{?\s*\(?\s*(?:base\s*)?(\d{1,2}|[a-z]+)\s*\)?\}?|\(?\s*(?:in\s+)?base[ -](\d{1,2}|[a-z]+)\s*\)?)"
)
_MAX_DIGITS = 1000
_ARC = {"'": "arcminute", '"': "arcsecond"}
"""What the marks of feet and inches mean behind degrees."""
_PART = re.compile(r"(\d[\d.,/ ]*?)\s*([a-zA-Z]+\.?|°|'|\"|\$|¢)(?=[\s\d,]|$)\s*,?\s*(?:and\s+)?")
_PRICE = re.compile(r"(-?)\s*(US\$|USD|GBP|EUR|Rs\.?|INR|[$£€¥₹₩])\s*(?=[\d.\\(-])", re.IGNORECASE)
_BEHIND = re.compile(
    r"(?:(?<=[\d\s)}\]!])|(?<=\\pi)|(?<=\d\.))(?!(?<=[\d.])[eE][+-]?\d)"
    r"(?:\\frac\{ ?[A-Za-z]+ ?\}\{ ?[A-Za-z]+(?:\^\{?\d\}?)? ?\}"
    r"|(?:/ ?)?[A-Za-z°%$£€¥₹₩¢Ωμ円\u4e00-\u9fff][A-Za-z°%$£€.,'/ ^{}\d()\u4e00-\u9fff-]*)$"
)
"""A unit at the end: behind a number, a space, a bracket or pi."""
_MAX_TRIED = 6
_NO_AMOUNT = re.compile(r"[-+*/=^]\s*$|\\(?:sin|cos|tan|cot|sec|csc)(?![a-z])|(?<![a-zA-Z\\])[a-zA-Z]{2,}")
"""What goes on behind an operator, an angle's function, or words before the unit."""


def number(text: str, inner: Inner) -> Form | None:
    """A rational number; one that is too large to be computed is compared as text."""
    try:
        found = written(text)
    except TooLarge:
        return Text(compact(text))
    return Number(found.value, found.step) if found else None


def time_of_day(text: str, inner: Inner) -> Form | None:
    """4:30 p.m., 9 am, 16:30."""
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return None
    hour, minute, half = int(clock[1] or clock[4]), int(clock[2] or clock[5] or 0), (clock[3] or "").lower()
    if hour > (12 if half else 24) or minute > 59:
        return None
    return TimeOfDay(hour, minute, half and half + "m")


def date(text: str, inner: Inner) -> Form | None:
    """2020-01-02, 1/2/2020: no difference and no fraction."""
    found = _DATE.fullmatch(text)
    return Text(re.sub(r"\b0(?=\d)", "", text)) if found else None


def in_base(text: str, inner: Inner) -> Form | None:
    """101_2, 101_{two}, 101 (base 2). Base ten is a number like any other."""
    found = _IN_BASE.fullmatch(text)
    if found is None:
        return None
    name = found[3] or found[4]
    base = int(name) if name.isdecimal() else _BASES.get(name, 0)
    digits = re.sub("[ ,]", "", found[2]).lstrip("0") or "0"
    figures = digits.replace(".", "", 1)
    if not 2 <= base <= 36 or not figures.isalnum() or any(int(figure, 36) >= base for figure in figures):
        return None
    if len(digits) > _MAX_DIGITS or not any(figure.isdecimal() for figure in figures):
        return None  # A_{11} is a variable
    return inner(found[1] + digits) if base == 10 else Based(found[1] * (digits != "0") + digits, base)


def compound(text: str, inner: Inner) -> Form | None:
    """One amount in several units: 5 ft 6 in, 2 hours and 30 minutes, each smaller than the one before."""
    parts: list[tuple[Fraction, units.Unit]] = []
    at = 0
    while at < len(text):
        found = _PART.match(text, at)
        part = inner(found[1].strip()) if found else None
        arc = bool(parts) and parts[0][1] == units.unit("°")
        unit = units.unit(_ARC.get(found[2], found[2]) if arc else found[2]) if found else None
        if found is None or unit is None or not isinstance(part, Number) or not unit.dimension:
            return None
        if parts and (unit.dimension != parts[-1][1].dimension or unit.factor >= parts[-1][1].factor):
            return None
        parts.append((part.value, unit))
        at = found.end()
    if len(parts) < 2:
        return None
    first = parts[0][1]
    return Quantity(
        Number(sum((value * unit.factor / first.factor for value, unit in parts), Fraction(0))), first, text
    )


def quantity(text: str, inner: Inner) -> Form | None:
    """A number or closed expression in front of a unit, or behind a currency: $18 per hour."""
    price = _PRICE.match(text)
    unit = units.currency(price[2].rstrip(".")) if price else None
    amount = price[1] + text[price.end() :] if price else text
    if behind := _unit_behind(amount):
        amount, said = behind
        unit = unit.times(said) if unit and said.dimension != unit.dimension else said
    if unit is None:
        return None
    magnitude = inner(amount.strip())
    if not isinstance(magnitude, (Number, Expression, Group)):
        return None
    return Quantity(magnitude, unit, text) if unit.dimension or unit.multiple != 1 else magnitude


def _unit_behind(text: str) -> tuple[str, units.Unit] | None:
    """The amount and the unit that stands behind it: of the longest texts at the end, the first that is a unit."""
    at = 0
    for _ in range(_MAX_TRIED):
        found = _BEHIND.search(text, at)
        if found is None:
            return None
        amount, at = text[: found.start()], found.start() + 1
        spaced, varies = amount.endswith(" "), has_variables(amount)
        if amount.strip() and " - " not in found[0] and (spaced or not varies) and not _NO_AMOUNT.search(amount):
            said = units.unit(found[0], spaced=spaced and not varies)
            if said is not None:
                return amount, said
    return None
