"""A curve that stays, leaps and then rises slowly, as in the paper's Figure 2: is it so, and where?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from prmkit.errors import InputError

_FLAT = 0.2
"""Share of the whole rise that may happen before the leap, for that part to be called a plateau."""

_SUDDEN = 0.25
"""Share of the curve's intervals that a leap may last."""

_SIGMAS = 3.0


@dataclass(frozen=True, slots=True)
class Leap:
    """The leap of a curve, from one of its points to a later one; or, with neither, why there is none."""

    start: int | None
    end: int | None
    height: float
    why: str

    @property
    def found(self) -> bool:
        """Whether there is one."""
        return self.start is not None


def find_leap(values: Sequence[float], errors: Sequence[float] | None = None) -> Leap:
    """The leap of a curve, if it has one.

    There is one if within a quarter of its intervals (at least one) it rises by more than half of its whole rise (from
    the first value to the highest), by more than three standard errors of the difference, and if before that, over two
    points or more, it has risen by at most a fifth of the whole. Of several such stretches the shortest is taken, of
    these the one that rises most.

    Args:
        values: in the order of training; at least five.
        errors: standard error of each; None where nothing is known.

    Raises:
        InputError: fewer than five values, or errors of another number.
    """
    if len(values) < 5 or (errors is not None and len(errors) != len(values)):
        raise InputError(
            "too few points to find a leap in", got=len(values), expected="five or more, each with its error"
        )
    known = errors or [0.0] * len(values)
    whole = max(values) - values[0]
    longest = max(1, int(_SUDDEN * (len(values) - 1)))
    steep = [
        (end - start, values[start] - values[end], start, end)
        for length in range(1, longest + 1)
        for start, end in zip(range(len(values)), range(length, len(values)), strict=False)
        if values[end] - values[start] > whole / 2
        and values[end] - values[start] > _SIGMAS * math.hypot(known[start], known[end])
    ]
    if whole <= 0 or not steep:
        return Leap(None, None, 0.0, "no short stretch holds more than half of the rise, beyond three standard errors")
    after_plateau = [
        each
        for each in steep
        if each[2] >= 1 and max(values[: each[2] + 1]) - min(values[: each[2] + 1]) <= _FLAT * whole
    ]
    if not after_plateau:
        return Leap(None, None, 0.0, "it rises at once: no plateau before")
    _, fall, start, end = min(after_plateau)
    return Leap(start, end, -fall, f"from point {start + 1} to {end + 1} of {len(values)}")
