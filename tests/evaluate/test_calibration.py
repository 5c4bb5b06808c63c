import pytest

from prmkit.errors import InputError
from prmkit.evaluate.calibration import calibration


def test_perfect_and_worst_scores() -> None:
    assert calibration([[(1.0, 1.0), (0.0, 0.0)]]).ece == 0
    worst = calibration([[(1.0, 0.0)], [(0.0, 1.0)]])
    assert (worst.ece, worst.brier.value, worst.brier.n) == (1.0, 1.0, 2)


def test_errors_within_a_bin_cancel_and_those_of_bins_do_not() -> None:
    # One bin: mean score 0.75, three of four right. Two bins: 0.25 each off.
    assert calibration([[(0.75, 1.0)] * 3 + [(0.75, 0.0)]]).ece == pytest.approx(0)
    assert calibration([[(0.25, 0.5), (0.75, 0.5)]]).ece == pytest.approx(0.25)


def test_reliability_rows_and_positions() -> None:
    result = calibration([[(0.95, 1.0)] * 12])
    (only,) = result.reliability
    assert (only.low, only.high, only.steps, only.score, only.right) == (0.9, 1.0, 12, pytest.approx(0.95), 1.0)
    assert [row.position for row in result.by_position][-2:] == ["9", "10+"]
    assert result.by_position[-1].steps == 3


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(InputError, match="no probability"):
        calibration([[(1.5, 1.0)]])
    with pytest.raises(InputError, match="no step"):
        calibration([])
