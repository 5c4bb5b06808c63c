r"""When two forms of answers are equal.

Two answers are ``same``, or ``alike``: equal as far as both say something, where one says more (5 and 5 cm; x = 5 and
5; C and (C) 12). Both count as equal. The difference matters where answers vote: 5 cm and 5 km are both like 5, but
they are not equal.

What takes algebra is asked of somebody else, for that may take long.
"""

import re
from collections.abc import Sequence
from enum import IntEnum
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

from prmkit.grade.math import units
from prmkit.grade.math.forms import (
    Based,
    Choice,
    Expression,
    Form,
    Group,
    Named,
    Number,
    Quantity,
    Relation,
    Text,
    TimeOfDay,
)
from prmkit.grade.math.notation import compact
from prmkit.grade.math.rational import tolerance


class Agreement(IntEnum):
    """How equal two answers are; the smallest over the parts is that of the whole."""

    DIFFERENT = 0
    ALIKE = 1
    SAME = 2


DIFFERENT, ALIKE, SAME = Agreement


class Algebra(Protocol):
    """Who compares what takes algebra, given as LaTeX."""

    def equal(self, one: str, other: str | Fraction, within: Fraction) -> bool:
        """Whether two expressions have the same values, or one is that number, give or take ``within``."""
        ...

    def equivalent(self, one: str, other: str, *, equations: bool) -> bool:
        """Whether two equations are multiples of each other, or two sets or inequalities the same set."""
        ...


def agree(one: Form, other: Form, algebra: Algebra) -> Agreement:
    """How equal two answers are; symmetric if the algebra is."""
    if one == other:
        return SAME
    for rule in (_choice, _named, _quantity, _groups, _group_and_other, _single):
        for first, second in ((one, other), (other, one)):
            agreement = rule(first, second, algebra)
            if agreement is not None:
                return agreement
    return DIFFERENT


def _named(one: Form, other: Form, algebra: Algebra) -> Agreement | None:
    """A named value is like its bare value; an equation of no single name is like no value."""
    if not isinstance(one, (Named, Relation)):
        return None
    if isinstance(other, (Named, Relation)):
        if isinstance(one, Named) and isinstance(other, Named) and _same_name(one.name, other.name):
            return agree(one.value, other.value, algebra)
        if isinstance(one, Named) and isinstance(other, Named) and not (_open(one.value) or _open(other.value)):
            return DIFFERENT
        equations = _is_equation(one) and _is_equation(other)
        first, second = (one.text, other.text) if equations else (_set_text(one), _set_text(other))
        return SAME if algebra.equivalent(first, second, equations=equations) else DIFFERENT
    if isinstance(one, Named):
        return min(ALIKE, agree(one.value, other, algebra))
    if isinstance(other, (Group, Expression)) and not one.is_equation:
        return ALIKE if algebra.equivalent(one.text, other.text, equations=False) else DIFFERENT
    return DIFFERENT


def _same_name(one: str, other: str) -> bool:
    """The same name, or both of a function: y and f(x)."""
    functions = [re.fullmatch(r"y|[a-zA-Z]\([a-z]\)", name) for name in (one, other)]
    return re.sub(r"[{}\s]", "", one) == re.sub(r"[{}\s]", "", other) or ("y" in (one, other) and all(functions))


def _set_text(form: Named | Relation) -> str:
    """The interval or union that an inequality says; else its text."""
    sets = ("union", *_INTERVALS)
    said = form.value if isinstance(form, Named) else form
    return said.text if isinstance(said, Group) and said.kind in sets else form.text


def _open(value: Form) -> bool:
    return isinstance(value, Expression)


def _is_equation(form: Named | Relation) -> bool:
    return form.is_equation if isinstance(form, Relation) else not isinstance(form.value, Group)


def _choice(one: Form, other: Form, algebra: Algebra) -> Agreement | None:
    if not isinstance(one, Choice):
        return None
    if isinstance(other, Choice):
        return ALIKE if one.letter == other.letter else DIFFERENT
    if one.text is not None:
        return min(ALIKE, agree(one.text, other, algebra))
    return ALIKE if isinstance(other, Expression) and other.text.upper() == one.letter <= "E" else None


def _quantity(one: Form, other: Form, algebra: Algebra) -> Agreement | None:
    """Of one dimension, and as much; where only one has a unit, the numbers count, in dozens or one by one."""
    if not isinstance(one, Quantity):
        return None
    if isinstance(other, Quantity):
        if bool(one.unit.dimension) is not bool(other.unit.dimension):  # 5 million, and 5000000 dollars
            return None if one.unit.dimension else min(ALIKE, agree(_converted(one), other, algebra))
        if one.unit.dimension != other.unit.dimension and not units.one_name(one.unit, other.unit):
            return DIFFERENT
        if one.unit.factor == other.unit.factor or one.unit.dimension != other.unit.dimension:
            return agree(one.magnitude, other.magnitude, algebra)
        return agree(_converted(one), _converted(other), algebra)
    if isinstance(other, (Text, Based, TimeOfDay)):
        return DIFFERENT
    agreement = agree(one.magnitude, other, algebra)
    if not agreement and one.unit.multiple != 1:
        agreement = agree(_scaled(one.magnitude, one.unit.multiple), other, algebra)
    if not agreement and isinstance(other, Expression):
        agreement = ALIKE if algebra.equal(one.text, other.text, Fraction(0)) else DIFFERENT
    return min(ALIKE, agreement)


def _converted(quantity: Quantity) -> Form:
    return _scaled(quantity.magnitude, quantity.unit.factor)


def _scaled(form: Form, factor: Fraction) -> Form:
    if isinstance(form, Number):
        return Number(form.value * factor)
    text = form.text if isinstance(form, (Expression, Group)) else ""
    return Expression(rf"\frac{{{factor.numerator}}}{{{factor.denominator}}}({text})")


_INTERVALS = ("()", "[)", "(]", "[]")


def _groups(one: Form, other: Form, algebra: Algebra) -> Agreement | None:
    """Lists and sets in any order, everything else in its own."""
    if not (isinstance(one, Group) and isinstance(other, Group)):
        return None
    kinds = {one.kind, other.kind}
    if kinds in ({"list"}, {"set"}, {"list", "set"}, {"union"}, {"record"}):
        agreement = _matched(_distinct(one), _distinct(other), algebra)
    elif len(kinds) == 1 or kinds == {"()", "tuple"}:
        agreement = _in_order(one.items, other.items, algebra)
    elif kinds <= {"list", "tuple", "record", "order"}:
        agreement = min(ALIKE, _in_order(_values(one), _values(other), algebra))
    elif kinds == {"matrix", "tuple"}:
        agreement = min(ALIKE, _in_order(_cells(one), _cells(other), algebra))
    else:
        agreement = DIFFERENT
    if not agreement and "union" in kinds and kinds <= {"union", "set", "tuple", *_INTERVALS}:
        return SAME if algebra.equivalent(one.text, other.text, equations=False) else DIFFERENT
    return agreement


def _distinct(group: Group) -> Sequence[Form]:
    return tuple(dict.fromkeys(group.items)) if group.kind == "set" else group.items


def _values(group: Group) -> Sequence[Form]:
    """A group's items; of a record its values, by their names where those are letters: y=2, x=1 is (1,2)."""
    named = [item for item in group.items if isinstance(item, Named)]
    if group.kind != "record" or len(named) < len(group.items):
        return group.items
    if all(len(item.name) == 1 for item in named):
        named.sort(key=lambda item: item.name)
    return [item.value for item in named]


def _cells(group: Group) -> Sequence[Form]:
    """A tuple's items; those of a row or column, for a matrix."""
    rows = [row.items if isinstance(row, Group) and row.kind == "matrix" else (row,) for row in group.items]
    if group.kind != "matrix" or len(rows) == 1 or all(len(row) == 1 for row in rows):
        return [cell for row in rows for cell in row]
    return ()


def _in_order(one: Sequence[Form], other: Sequence[Form], algebra: Algebra) -> Agreement:
    if len(one) != len(other):
        return DIFFERENT
    agreement = SAME
    for first, second in zip(one, other, strict=True):
        agreement = min(agreement, agree(first, second, algebra))
        if not agreement:
            break
    return agreement


def _matched(one: Sequence[Form], other: Sequence[Form], algebra: Algebra) -> Agreement:
    """Each item with one of the other side: those that are the same, and then each of the others with one like it."""
    if len(one) != len(other):
        return DIFFERENT
    left, right = list(one), list(other)
    for item in one:
        if item in right:
            left.remove(item)
            right.remove(item)
    free, likes = set(range(len(right))), list[list[int]]()
    for item in left:
        agreements = [agree(item, candidate, algebra) for candidate in right]
        if DIFFERENT is max(agreements):
            return DIFFERENT
        same = next((at for at in sorted(free) if agreements[at] is SAME), None)
        if same is None:
            likes.append([at for at, agreement in enumerate(agreements) if agreement])
        else:
            free.remove(same)
    if not likes:
        return SAME
    return ALIKE if _pairs([[at for at in each if at in free] for each in likes]) else DIFFERENT


def _pairs(likes: Sequence[Sequence[int]]) -> bool:
    """Whether each can have one of those that it likes for itself.

    Source: Kuhn's augmenting paths for matching in bipartite graphs.
    """
    owner: dict[int, int] = {}

    def found(who: int, asked: set[int]) -> bool:
        for at in likes[who]:
            if at not in asked:
                asked.add(at)
                if at not in owner or found(owner[at], asked):
                    owner[at] = who
                    return True
        return False

    return all(found(who, set()) for who in range(len(likes)))


def _group_and_other(one: Form, other: Form, algebra: Algebra) -> Agreement | None:
    if not isinstance(one, Group):
        return None
    if one.kind in ("set", "list") and len(one.items) == 1 and not isinstance(other, Text):
        return min(ALIKE, agree(one.items[0], other, algebra))
    if isinstance(other, Expression) and one.kind != "list":
        return SAME if algebra.equivalent(one.text, other.text, equations=False) else DIFFERENT
    return DIFFERENT


def _single(one: Form, other: Form, algebra: Algebra) -> Agreement | None:
    if isinstance(one, Number) and isinstance(other, Number):
        return _numbers(one, other)
    if isinstance(one, Text) and isinstance(other, Text):
        return SAME if _words(one.text) == _words(other.text) else DIFFERENT
    if isinstance(one, TimeOfDay) and isinstance(other, TimeOfDay):
        return _times(one, other)
    if isinstance(one, Expression) and isinstance(other, Expression):
        same = compact(one.text) == compact(other.text) or algebra.equal(one.text, other.text, Fraction(0))
        return SAME if same else DIFFERENT
    if isinstance(one, Expression) and isinstance(other, Number):
        within = tolerance(other.value, other.step)
        equal = algebra.equal(one.text, other.value, within)
        return (ALIKE if within else SAME) if equal else DIFFERENT
    return None


def _numbers(one: Number, other: Number) -> Agreement:
    """The same number; or a decimal of six digits or more that is the other one rounded."""
    if one.value == other.value:
        return SAME
    for decimal, exact in ((one, other), (other, one)):
        if exact.step is None and abs(decimal.value - exact.value) < tolerance(decimal.value, decimal.step):
            return ALIKE
    return DIFFERENT


def _times(one: TimeOfDay, other: TimeOfDay) -> Agreement:
    if (one.half and other.half) or not (one.half or other.half):
        return SAME if one == other else DIFFERENT
    half, bare = (one, other) if one.half else (other, one)
    hours = {half.hour, half.hour % 12 + (12 if half.half == "pm" else 0)}
    return ALIKE if half.minute == bare.minute and bare.hour in hours else DIFFERENT


@lru_cache(maxsize=4096)
def _words(text: str) -> str:
    words = re.sub(r"^(?:the|an?)\s+", "", text.casefold().strip(" .!?"))
    words = re.sub(r"[a-z]{4,}", lambda word: units.singular(word[0]), words)
    return re.sub(r"[\s.,!?'\"$-]+", "", words)
