import pytest

from prmkit.errors import InputError
from prmkit.evaluate.samples import evaluate_samples, most_samples
from prmkit.evaluate.selection import Samples
from prmkit.stats import Estimate


def samples(
    name: str, *solutions: tuple[float, int | None, bool], level: str = "1", subject: str = "Algebra"
) -> Samples:
    """Solutions by their score, class and verdict."""
    scores, classes, correct = zip(*solutions, strict=True)
    groups = {"level": level, "subject": subject}
    return Samples(problem_id=name, scores=scores, classes=classes, correct=correct, groups=groups)


# p: the vote is wrong, the best scored is right. q: both are right. Of q there are three samples, of p four.
P = samples("p", (0.9, 0, True), (0.2, 1, False), (0.3, 1, False), (0.1, 1, False), level="1")
Q = samples("q", (0.9, 0, True), (0.8, 0, True), (0.1, 1, False), level="2")


def test_the_rules_at_powers_of_two_and_at_the_most_that_every_problem_has() -> None:
    found = evaluate_samples([P, Q], scored=True)
    assert found.problems == 2
    assert {int(rule.partition("@")[2]) for rule in found.selection} == {1, 2, 3}
    assert found.most == most_samples(found.selection) == 3
    assert found.selection["pass@1"].value == pytest.approx((1 / 4 + 2 / 3) / 2)
    # prm@3: of p the right one is among three of four, and then wins.
    assert found.selection["prm@3"].value == pytest.approx((3 / 4 + 1) / 2)
    assert found.rules["prm@3"] == {"p": pytest.approx(3 / 4), "q": 1.0}
    assert found.differences["prm@3 - maj@3"].value == pytest.approx((3 / 4 - 0 + 1 - 1) / 2)
    assert found.correct == {"p": [True, False, False, False], "q": [True, True, False]}
    assert found.curves.k == [1, 2, 3]


def test_groups_that_do_not_tell_problems_apart_are_left_out() -> None:
    found = evaluate_samples([P, Q], scored=True)
    assert set(found.groups) == {"level"}  # the subject is the same
    assert found.groups["level"]["2"]["prm@3"] == Estimate(
        value=1.0, stderr=found.groups["level"]["2"]["prm@3"].stderr, n=1
    )
    assert set(found.groups["level"]["1"]) >= {"pass@1", "maj@3", "prm@3"}


def test_without_scores_there_is_no_figure_of_scores() -> None:
    found = evaluate_samples([P, Q], scored=False)
    assert not any(rule.startswith(("prm", "weighted")) for rule in (*found.selection, *found.rules))
    assert (found.within_problem_auc, found.calibration, found.curves.prm) == (None, None, [])
    assert set(found.differences) == {"maj@3 - pass@1"}


def test_scores_that_are_no_probabilities_are_ranked_but_not_calibrated() -> None:
    logits = samples("p", (3.5, 0, True), (-2.0, 1, False))
    found = evaluate_samples([logits], scored=True)
    assert found.calibration is None
    assert found.within_problem_auc is not None
    assert found.within_problem_auc.value == 1.0


def test_no_problem_is_an_error() -> None:
    with pytest.raises(InputError, match="no problem to evaluate"):
        evaluate_samples([], scored=True)
