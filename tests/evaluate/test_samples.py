from dataclasses import replace

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.samples import evaluate_samples
from prmkit.evaluate.selection import Samples


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


# r: the two best scored of four are right, and the vote is a tie.
R = samples("r", (0.9, 0, True), (0.8, 0, True), (0.7, 1, False), (0.1, 1, False))


def test_the_rules_at_powers_of_two_and_how_they_differ_at_the_most() -> None:
    found = evaluate_samples([P, R], scored=True)
    assert (found.problems, found.fewer, found.base) == (2, None, None)
    assert {int(rule.partition("@")[2]) for rule in found.selection} == {1, 2, 4}
    assert found.most == 4
    assert found.selection["pass@1"].value == pytest.approx((1 / 4 + 2 / 4) / 2)
    # prm@2: the best scored, which is right, is among two of four in half of the pairs; of r the second is right too.
    assert found.selection["prm@2"].value == pytest.approx((1 / 2 + 5 / 6) / 2)
    assert found.rules["prm@4"] == {"p": 1.0, "r": 1.0}
    # maj@4: of p the wrong ones win; of r it is a tie.
    assert found.differences["prm@4 - maj@4"].value == pytest.approx((1 - 0 + 1 - 1 / 2) / 2)
    assert list(found.differences) == ["maj@4 - pass@1", "prm@4 - pass@1", "prm@4 - maj@4"]
    assert found.correct == {"p": [True, False, False, False], "r": [True, True, False, False]}
    assert found.curves.k == [1, 2, 3, 4]


def test_a_problem_with_fewer_samples_counts_up_to_the_k_that_it_has_and_that_is_said() -> None:
    found = evaluate_samples([P, Q, R], scored=True)  # of q there are three samples, of the others four
    assert {rule: found.selection[rule].n for rule in ("pass@1", "pass@2", "pass@3", "pass@4", "prm@4")} == {
        "pass@1": 3, "pass@2": 3, "pass@3": 3, "pass@4": 2, "prm@4": 2,
    }  # fmt: skip
    assert found.selection["pass@3"].value == pytest.approx((3 / 4 + 1 + 1) / 3)
    assert (found.selection["pass@4"].value, found.selection["maj@4"].value) == (1.0, pytest.approx((0 + 1 / 2) / 2))
    assert [each.n for each in found.curves.pass_] == [each.n for each in found.curves.prm] == [3, 3, 3, 2]
    assert found.fewer is not None
    assert (found.fewer.problems, found.fewer.of, found.fewer.fewest, found.fewer.most) == (1, 3, 3, 4)
    assert str(found.fewer).startswith("1 of 3 problems have fewer samples than 4, the fewest 3: ")


def test_rules_are_compared_on_the_same_problems_at_the_most_samples_of_half_of_them() -> None:
    found = evaluate_samples([P, Q, R], scored=True)
    assert found.most == 4
    assert set(found.rules["pass@1"]) == {"p", "q", "r"}
    assert set(found.rules["maj@4"]) == set(found.rules["prm@4"]) == {"p", "r"}
    assert found.differences["prm@4 - pass@1"].value == pytest.approx((1 - 1 / 4 + 1 - 2 / 4) / 2)  # without q
    one_long = evaluate_samples([P, Q, samples("s", (0.5, 0, True)), samples("t", (0.5, 0, True))], scored=True)
    assert one_long.most == 3  # not the four of one problem alone
    assert (one_long.selection["pass@4"].n, one_long.selection["pass@1"].n) == (1, 4)


def test_a_group_without_so_many_samples_has_what_it_has() -> None:
    found = evaluate_samples([P, Q], scored=True)
    assert set(found.groups["level"]["2"]) == {"pass@1"}
    assert found.groups["level"]["1"]["prm@4"].value == 1.0


def test_base_tests_give_pass_at_k_of_their_own() -> None:
    """Of two programs one passes all tests, and both the base tests; of another problem one of three those alone."""
    one = replace(samples("p", (0, 0, True), (0, 0, False)), base=(True, True))
    other = replace(samples("q", (0, 0, False), (0, 0, False), (0, 0, False)), base=(True, False, False))
    found = evaluate_samples([one, other], scored=False)
    assert found.base is not None
    values = {rule: (estimate.value, estimate.n) for rule, estimate in found.base.items()}
    assert values == {
        "pass@1": (pytest.approx((1 + 1 / 3) / 2), 2),
        "pass@2": (pytest.approx((1 + 2 / 3) / 2), 2),
        "pass@3": (1.0, 1),
    }
    assert found.selection["pass@1"].value == pytest.approx((1 / 2 + 0) / 2)


def test_groups_that_do_not_tell_problems_apart_are_left_out() -> None:
    found = evaluate_samples([P, replace(R, groups={"level": "2", "subject": "Algebra"})], scored=True)
    assert set(found.groups) == {"level"}  # the subject is the same
    assert (found.groups["level"]["2"]["prm@4"].value, found.groups["level"]["2"]["prm@4"].n) == (1.0, 1)
    assert set(found.groups["level"]["1"]) >= {"pass@1", "maj@4", "prm@4"}


def test_without_scores_there_is_no_figure_of_scores() -> None:
    found = evaluate_samples([P, R], scored=False)
    assert not any(rule.startswith(("prm", "weighted")) for rule in (*found.selection, *found.rules))
    assert (found.within_problem_auc, found.calibration, found.curves.prm) == (None, None, [])
    assert set(found.differences) == {"maj@4 - pass@1"}


def test_scores_that_are_no_probabilities_are_ranked_but_not_calibrated() -> None:
    logits = samples("p", (3.5, 0, True), (-2.0, 1, False))
    found = evaluate_samples([logits], scored=True)
    assert found.calibration is None
    assert found.within_problem_auc is not None
    assert found.within_problem_auc.value == 1.0


def test_no_problem_is_an_error() -> None:
    with pytest.raises(InputError, match="no problem to evaluate"):
        evaluate_samples([], scored=True)
