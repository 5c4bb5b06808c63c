"""Estimates in words: a number never stands without its error."""

from prmkit.report.blocks import EstimateRecord

DASH = "\u2013"


def percent(estimate: EstimateRecord | None) -> str:
    """An estimate as a percentage with its standard error."""
    return with_error(estimate, scale=100.0, digits=1)


def with_error(estimate: EstimateRecord | None, *, scale: float = 1.0, digits: int = 3) -> str:
    """An estimate with its standard error, both times ``scale``; a dash where it is unknown."""
    if estimate is None or estimate.get("value") is None:
        return DASH
    error = "" if estimate.get("stderr") is None else f" ± {scale * estimate['stderr']:.{digits}f}"
    return f"{scale * estimate['value']:.{digits}f}{error}"


def verdict(difference: EstimateRecord) -> str:
    """What a paired difference says at two standard errors."""
    value, error = difference["value"], difference["stderr"]
    if error is None or value is None or abs(value) <= 2 * error:
        return "no difference beyond two standard errors"
    return "better by more than two standard errors" if value > 0 else "worse by more than two standard errors"


def interval_verdict(low: float, high: float) -> str:
    """What a confidence interval of a difference says."""
    return "better" if low > 0 else "worse" if high < 0 else "not told apart"
