"""The algebra that equality of answers needs, from what workers found out: each expression is looked at once."""

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, TypeVar

from prmkit.grade.math.equality import LATE, Request, Workers

_CLOSE = Decimal("1e-25")
POSITIVE = 3
"""The first points, at which all variables are positive (symbolic.py)."""
_KEPT = 50_000
"""Replies that are remembered."""
_MAX_BITS = 10_000
"""A larger integer is no value of an expression that is worth asking for."""

Result = TypeVar("Result")


class _Missing(Exception):
    """Requests that a comparison waits for."""

    def __init__(self, *requests: Request) -> None:
        self.requests = requests


class Solver:
    """Makes comparisons that need algebra, and remembers the algebra."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._replies: dict[Request, Any] = {}

    def solved(self, comparisons: Sequence[Callable[["Known"], Result]], deadline: float) -> list[tuple[Result, bool]]:
        """What each comparison returns, and whether it met a request that ran out of time.

        A comparison that lacks a reply is made again when it is there; what many wait for is asked for together.
        """
        results: dict[int, tuple[Result, bool]] = {}
        while len(results) < len(comparisons):
            missing: dict[Request, None] = {}
            for index, comparison in enumerate(comparisons):
                if index not in results:
                    known = Known(self._replies)
                    try:
                        results[index] = (comparison(known), known.late)
                    except _Missing as lacking:
                        missing |= dict.fromkeys(lacking.requests)
            if len(self._replies) > _KEPT:
                self._replies = {}
            self._replies |= zip(missing, self._workers.ask(list(missing), deadline), strict=True)
        return [results[index] for index in range(len(comparisons))]

    def is_nonsense(self, text: str) -> bool:
        """Whether an expression was looked at and is none."""
        return self._replies.get(("values", text), LATE) is None


class Known:
    """The algebra that has been done: the Algebra of agreement.py.

    Attributes:
        late: whether something was asked for that had run out of time; it is equal to nothing.
    """

    def __init__(self, replies: dict[Request, Any]) -> None:
        self._replies = replies
        self.late = False

    def equal(self, one: str, other: str | Fraction, within: Fraction) -> bool:
        """Whether two expressions have the same values, or one is that number, give or take ``within``."""
        if isinstance(other, str):
            first, second = self._known(("values", one), ("values", other))
        elif max(map(int.bit_length, other.as_integer_ratio())) > _MAX_BITS:
            return False
        else:
            (first,), second = self._known(("values", one)), {"values": [[other, "0"]], "name": ""}
        return first is not None and second is not None and _same(first, second, within)

    def equivalent(self, one: str, other: str, *, equations: bool) -> bool:
        """Whether two equations are multiples of each other, or two sets or inequalities the same set."""
        if not equations:
            first, second = self._known(("region", one), ("region", other))
            if first is not None and second is not None and (first or second):
                return bool(first[1:] == second[1:] and (first[0] == second[0] or "" in (first[0], second[0])))
            return bool(self._known(("equivalent", *sorted((one, other))))[0])
        first, second = self._known(("sides", one), ("sides", other))
        return first is not None and second is not None and _same(first, second, Fraction(0))

    def _known(self, *requests: Request) -> list[Any]:
        """The replies, with None for what ran out of time."""
        missing = [request for request in requests if request not in self._replies]
        if missing:
            raise _Missing(*missing)
        replies = [self._replies[request] for request in requests]
        self.late |= LATE in replies
        return [None if reply is LATE else reply for reply in replies]


def _same(one: dict[str, Any], other: dict[str, Any], within: Fraction) -> bool:
    """Equal at every point where both have a value; where variables are not all positive, a real one."""
    if one["name"] or other["name"]:
        return bool(one["name"] == other["name"])
    points = max(len(one["values"]), len(other["values"]))
    tried = False
    for point, (first, second) in enumerate(zip(_spread(one, points), _spread(other, points), strict=True)):
        positive = point < POSITIVE
        if first is None or second is None:
            if positive and first is not second:
                return False
        elif positive or (_is_real(first) and _is_real(second)):
            if not _close(first, second, within):
                return False
            tried = True
    return tried


def _spread(found: dict[str, Any], points: int) -> list[Any]:
    """The value at every point; the only one, for what has no variables."""
    values: list[Any] = found["values"]
    return values * points if len(values) == 1 else values


def _is_real(value: Sequence[Any]) -> bool:
    return bool(value[1] == "0")


def _close(one: Sequence[Any], other: Sequence[Any], within: Fraction) -> bool:
    """Equal in both parts, relative to the larger of them."""
    first, second = [_decimal(part) for part in one], [_decimal(part) for part in other]
    if first == second:
        return True
    if not all(part.is_finite() for part in (*first, *second)):
        return False
    with localcontext(prec=45):
        bound = max(max(map(abs, (*first, *second))) * _CLOSE, _decimal(within))
        return all(abs(a - b) <= bound for a, b in zip(first, second, strict=True))


def _decimal(part: str | Fraction) -> Decimal:
    if isinstance(part, str):
        return Decimal(part)
    with localcontext(prec=45):
        return Decimal(part.numerator) / Decimal(part.denominator)
