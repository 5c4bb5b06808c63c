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


def test_every_class_by_hand_and_what_is_made_of_them() -> None:
    # Two steps a class, the first right and the second wrong; of multi_solutions both are right, as all of its steps.
    steps = {
        "redundency": [(0.9, True), (0.1, False)],  # both found: 1
        "circular": [(0.9, True), (0.9, False)],  # both called right: F1 2/3, of wrong ones 0
        "counterfactual": [(0.1, True), (0.1, False)],  # both called wrong: 0 and 2/3
        "step_contradiction": [(0.1, True), (0.9, False)],  # each called what it is not: 0
        "domain_inconsistency": [(0.9, True), (0.1, False)],
        "confidence": [(0.9, True), (0.1, False)],
        "missing_condition": [(0.9, True), (0.9, False)],
        "deception": [(0.9, True), (0.1, False)],
        "multi_solutions": [(0.9, True), (0.1, True)],  # precision 1, recall 1/2: F1 2/3, which is all of its score
    }
    found = by_class([(name, score, right) for name, pairs in steps.items() for score, right in pairs])
    scores = {name: report.prm_score for name, report in found.classes.items()}
    third, two_thirds = pytest.approx(1 / 3), pytest.approx(2 / 3)
    assert scores == {
        "redundency": 1.0, "circular": third, "counterfactual": third, "step_contradiction": 0.0,
        "domain_inconsistency": 1.0, "confidence": 1.0, "missing_condition": third, "deception": 1.0,
        "multi_solutions": two_thirds,
    }  # fmt: skip
    assert found.classes["multi_solutions"].negative_f1 == 0.0
    assert found.categories == {
        "simplicity": pytest.approx((1 + 1 / 3) / 2),
        "soundness": pytest.approx((1 / 3 + 0 + 1 + 1) / 4),
        "sensitivity": pytest.approx((1 / 3 + 1 + 2 / 3) / 3),
    }
    # All 18 steps: of 10 right ones 7 are called right, beside 3 wrong ones; of 8 wrong ones 5 are found, beside 3.
    assert found.prm_score == pytest.approx((2 * 7 / (10 + 10) + 2 * 5 / (8 + 8)) / 2)


def test_a_class_pools_its_steps_so_a_long_solution_counts_for_more() -> None:
    long, short = [("circular", 0.9, True)] * 3, [("circular", 0.1, False)]
    assert by_class([*long, *short]).classes["circular"].prm_score == 1.0
    missed = [("circular", 0.9, False)]
    assert by_class([*long, *missed]).classes["circular"].f1 == pytest.approx(2 * 3 / (4 + 3))


def test_a_class_with_one_kind_of_steps_has_its_figures_and_a_category_is_the_mean_of_the_classes_there() -> None:
    steps = [("circular", 0.9, True), ("circular", 0.1, False), ("redundency", 0.9, False), ("deception", 0.9, True)]
    report = by_class(steps).as_json()
    assert report["classes"]["circular"]["prm_score"] == 1.0
    assert report["classes"]["redundency"]["prm_score"] == 0.0
    assert report["classes"]["deception"] == {
        "steps": 1, "accuracy": 1.0, "f1": 1.0, "negative_f1": 0.0, "prm_score": 0.5,
    }  # fmt: skip
    assert report["categories"] == {"simplicity": 0.5, "sensitivity": 0.5}
    alone = by_class([("multi_solutions", 0.9, True)])
    assert (alone.classes["multi_solutions"].prm_score, alone.categories) == (1.0, {"sensitivity": 1.0})
