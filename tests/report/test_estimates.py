import pytest

from prmkit.report.estimates import DASH, interval_verdict, percent, verdict, with_error


@pytest.mark.parametrize(
    ("value", "stderr", "words"),
    [
        (0.2, 0.05, "better by more than two standard errors"),
        (-0.2, 0.05, "worse by more than two standard errors"),
        (0.1, 0.05, "no difference beyond two standard errors"),
        (0.2, None, "no difference beyond two standard errors"),
    ],
)
def test_a_verdict_needs_two_standard_errors(value: float, stderr: float | None, words: str) -> None:
    assert verdict({"value": value, "stderr": stderr}) == words


def test_an_interval_around_nothing_tells_nothing_apart() -> None:
    assert [interval_verdict(*ends) for ends in ((0.1, 2.0), (-2.0, -0.1), (-1.0, 1.0))] == [
        "better",
        "worse",
        "not told apart",
    ]


def test_unknown_figures_are_dashes() -> None:
    assert percent(None) == percent({"value": None, "stderr": None}) == DASH
    assert percent({"value": 0.5, "stderr": None}) == "50.0"
    assert percent({"value": 0.1234, "stderr": 0.01}) == "12.3 ± 1.0"
    assert with_error({"value": 0.1234, "stderr": 0.01}) == "0.123 ± 0.010"
