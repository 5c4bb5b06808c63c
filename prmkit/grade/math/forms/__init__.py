r"""What an answer is: a number, a quantity, a choice, a list, an interval, an equation, words.

A form is what was written, not what it comes to: which forms are equal is said in agreement.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from prmkit.grade.math.rational import tolerance
from prmkit.grade.math.units import Unit

Kind = Literal["list", "order", "set", "tuple", "record", "union", "matrix", "ratio", "()", "[)", "(]", "[]"]
"""``list`` is bare and in no order, ``order`` bare and in one (words, letters), ``record`` holds Named of several
names; ``(a,b)`` is a tuple, whether it means a point or an open interval; ``()`` is an interval for certain."""


@dataclass(frozen=True, slots=True)
class Number:
    """A rational number; ``step`` is what its last digit counts, where it is a decimal."""

    value: Fraction
    step: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """Mathematics that takes more than arithmetic, as LaTeX."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """Words, and whatever else is only compared as text."""

    text: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A letter, capital, with what it stands for if that is said."""

    letter: str
    text: "Form | None" = None


@dataclass(frozen=True, slots=True)
class Based:
    """Digits in a base other than ten."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Quantity:
    """So many of a unit; of several units (5 ft 6 in) so many of the first."""

    magnitude: "Form"
    unit: Unit
    text: str


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """A time on the clock; ``half`` is am, pm or nothing."""

    hour: int
    minute: int
    half: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Several answers, and how they hang together."""

    kind: Kind
    items: tuple["Form", ...]
    text: str


@dataclass(frozen=True, slots=True)
class Named:
    """A value with its name: ``x = 5``, ``f(x) = 2x``, ``x \\in [0, 1]``, ``x > 2``."""

    name: str
    value: "Form"
    text: str


@dataclass(frozen=True, slots=True)
class Relation:
    """An equation or inequality that names no value."""

    text: str
    is_equation: bool


Form = Number | Expression | Text | Choice | Based | Quantity | TimeOfDay | Group | Named | Relation

Inner = Callable[[str], Form]
"""Reads a part of an answer into its form."""


def numbers(form: Form) -> frozenset[Fraction] | None:
    """The different numbers of a form that consists of exact ones only: those that are equal have the same."""
    if isinstance(form, Named):
        return numbers(form.value)
    if isinstance(form, Number):
        return None if tolerance(form.value, form.step) else frozenset((form.value,))
    if not isinstance(form, Group) or form.kind == "union":
        return None
    found = [numbers(item) for item in form.items]
    return None if None in found else frozenset().union(*filter(None, found))


def detail(form: Form | None) -> int:
    """How much a form says beyond a bare value: its unit, its name, the text of a choice, an order, exactness.

    What may mean two numbers says less than either: 35% is 35 or 0.35.
    """
    if isinstance(form, Quantity) and form.unit.multiple != 1:
        return -1 if any(base != "percent" for base, _ in form.unit.dimension) else -2
    if isinstance(form, Quantity):
        return 2 + detail(form.magnitude)
    if isinstance(form, Named):
        return 2 + detail(form.value)
    if isinstance(form, Choice):
        return 2 + detail(form.text) if form.text else 1
    if isinstance(form, Group):
        return (form.kind not in ("list", "order")) + sum(map(detail, form.items))
    if isinstance(form, TimeOfDay):
        return bool(form.half)
    return int(not (isinstance(form, Number) and form.step is not None))
