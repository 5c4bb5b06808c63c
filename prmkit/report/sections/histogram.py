"""How many values of [0, 1] lie in each of equal bins, as bars."""

from collections.abc import Iterable

from prmkit.report.blocks import Series


def histogram(name: str, values: Iterable[float], bins: int) -> Series:
    """A bar over the middle of each bin; the last bin holds 1."""
    counts = [0.0] * bins
    for value in values:
        counts[min(int(value * bins), bins - 1)] += 1
    return Series(name=name, x=[(index + 0.5) / bins for index in range(bins)], y=counts, kind="bars")
