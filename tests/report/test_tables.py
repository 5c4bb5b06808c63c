import pytest

from prmkit.report.tables import DASH, percent, table, verdict


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


def test_unknown_figures_are_dashes() -> None:
    assert percent(None) == percent({"value": None, "stderr": None}) == DASH
    assert percent({"value": 0.5, "stderr": None}) == "50.0"
    assert percent({"value": 0.1234, "stderr": 0.01}) == "12.3 ± 1.0"


def test_a_table_escapes_text_and_groups_digits() -> None:
    assert table(("a<b",), [("x<y",), (1234567,), (None,), (0.25,)]) == (
        "<table><thead><tr><th>a&lt;b</th></tr></thead><tbody><tr><td>x&lt;y</td></tr><tr><td>1,234,567</td></tr>"
        f"<tr><td>{DASH}</td></tr><tr><td>0.2</td></tr></tbody></table>"
    )
