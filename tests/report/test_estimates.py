import math

import pytest

from prmkit.report.estimates import DASH, interval_verdict, percent, verdict, with_error
from prmkit.stats import Estimate


def estimate(value: float, stderr: float) -> Estimate:
    return Estimate(value=value, stderr=stderr, n=9)


@pytest.mark.parametrize(
    ("value", "stderr", "words"),
    [
        (0.2, 0.05, "better by more than two standard errors"),
        (-0.2, 0.05, "worse by more than two standard errors"),
        (0.1, 0.05, "no difference beyond two standard errors"),
        (0.2, math.nan, "no difference beyond two standard errors"),
    ],
)
def test_a_verdict_needs_two_standard_errors(value: float, stderr: float, words: str) -> None:
    assert verdict(estimate(value, stderr)) == words


def test_an_interval_around_nothing_tells_nothing_apart() -> None:
    assert [interval_verdict(*ends) for ends in ((0.1, 2.0), (-2.0, -0.1), (-1.0, 1.0))] == [
        "better",
        "worse",
        "not told apart",
    ]


def test_unknown_figures_are_dashes() -> None:
    assert percent(None) == percent(estimate(math.nan, math.nan)) == DASH
    assert percent(estimate(0.5, math.nan)) == "50.0"
    assert percent(estimate(0.1234, 0.01)) == "12.3 ± 1.0"
    assert with_error(estimate(0.1234, 0.01)) == "0.123 ± 0.010"
