import pytest

from prmkit.errors import InputError
from prmkit.evaluate.steps import by_class, step_report


def test_a_report_by_hand() -> None:
    # Called right: 0.9, 0.8, 0.5. Of these two are right; one right step (0.2) is missed.
    report = step_report([0.9, 0.8, 0.5, 0.2, 0.1], [True, True, False, True, False])
    assert report.f1 == pytest.approx(2 * 2 / (3 + 3))
    assert report.negative_f1 == pytest.approx(2 * 1 / (2 + 2))
    assert report.prm_score == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert report.accuracy == 0.6


def test_nothing_found_is_zero_and_no_crash() -> None:
    report = step_report([0.1, 0.2], [True, True])
    assert (report.f1, report.negative_f1, report.accuracy) == (0.0, 0.0, 0.0)
    with pytest.raises(InputError, match="do not fit together"):
        step_report([], [])


def test_classes_make_categories_and_each_counts_once() -> None:
    steps = [("circular", 0.9, True), ("circular", 0.1, False), ("redundency", 0.9, False), ("deception", 0.9, True)]
    report = by_class(steps).as_json()
    assert report["classes"]["circular"]["prm_score"] == 1.0
    assert report["classes"]["redundency"]["prm_score"] == 0.0
    assert report["categories"] == {"simplicity": 0.5, "sensitivity": 0.5}  # deception: no wrong step, so half
    assert report["prm_score"] == pytest.approx(1.5 / 3)
