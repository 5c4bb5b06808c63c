"""Estimates in words: a number never stands without its error."""

import math

from prmkit.stats import Estimate

DASH = "\u2013"


def percent(estimate: Estimate | None) -> str:
    """An estimate as a percentage with its standard error."""
    return with_error(estimate, scale=100.0, digits=1)


def with_error(estimate: Estimate | None, *, scale: float = 1.0, digits: int = 3) -> str:
    """An estimate with its standard error, both times ``scale``; a dash where it is unknown."""
    if estimate is None or math.isnan(estimate.value):
        return DASH
    error = "" if math.isnan(estimate.stderr) else f" ± {scale * estimate.stderr:.{digits}f}"
    return f"{scale * estimate.value:.{digits}f}{error}"


def verdict(difference: Estimate) -> str:
    """What a paired difference says at two standard errors."""
    if not abs(difference.value) > 2 * difference.stderr:  # NaN is beyond nothing
        return "no difference beyond two standard errors"
    return f"{'better' if difference.value > 0 else 'worse'} by more than two standard errors"


def interval_verdict(low: float, high: float) -> str:
    """What a confidence interval of a difference says."""
    return "better" if low > 0 else "worse" if high < 0 else "not told apart"
