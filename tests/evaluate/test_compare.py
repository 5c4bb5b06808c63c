import pytest

from prmkit.errors import InputError
from prmkit.evaluate.compare import compare, mcnemar, refuse_other_grading, refuse_other_problems
from prmkit.grade.config import GradingConfig


def evaluation(rule: str, *values: float) -> dict[str, dict[str, float]]:
    return {rule: {f"p{index}": value for index, value in enumerate(values)}}


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (1, 0, 1.0), (5, 0, 2 / 32), (0, 5, 2 / 32), (8, 2, 2 * (1 + 10 + 45) / 1024)],
)
def test_mcnemar_is_a_sign_test_on_what_one_side_solves(better: int, worse: int, p: float) -> None:
    assert mcnemar(better, worse) == pytest.approx(p)


def test_a_comparison_by_hand() -> None:
    (row,) = compare(evaluation("prm@8", 1, 1, 1, 0), evaluation("prm@4", 0, 1, 0, 0.5))
    assert row.rule == "prm@8 - prm@4"
    assert row.difference.value == pytest.approx((1 + 0 + 1 - 0.5) / 4)
    assert (row.better, row.worse, row.mcnemar) == (2, 0, 0.5)  # the tie is on neither side
    assert row.low <= row.difference.value <= row.high


def test_only_shared_problems_and_rules_count() -> None:
    one = {"pass@1": {"a": 1.0, "b": 0.0}, "maj@2": {"a": 1.0}}
    other = {"pass@1": {"a": 0.0, "c": 1.0}}
    (row,) = compare(one, other)
    assert (row.rule, row.difference.value, row.difference.n) == ("pass@1", 1.0, 1)
    with pytest.raises(InputError, match="share no problem"):
        compare(one, {"pass@1": {"z": 1.0}})


def test_a_rule_of_all_samples_that_shares_no_problem_is_left_out() -> None:
    """Of a there are fewer samples in one evaluation, of b in the other."""
    pass_1 = {"a": 1.0, "b": 0.0}
    (row,) = compare({"pass@1": pass_1, "maj@2": {"a": 1.0}}, {"pass@1": pass_1, "maj@2": {"b": 1.0}})
    assert (row.rule, row.difference.n) == ("pass@1", 2)


def test_evaluations_of_other_problems_are_refused_by_name() -> None:
    rules = {"pass@1": {"a": 1.0}, "maj@2": {"b": 1.0}}
    refuse_other_problems(rules, ["z", "b"], where="runs/other")
    with pytest.raises(InputError, match="runs/other: the evaluations share no problem"):
        refuse_other_problems(rules, ["z"], where="runs/other")


def test_verdicts_of_two_graders_are_not_compared_and_both_are_named() -> None:
    qwen = GradingConfig(grader="qwen")
    refuse_other_grading([("a", qwen), ("b", GradingConfig(grader="qwen", unsafe_local=True))])
    with pytest.raises(
        InputError,
        match="b: the runs were judged differently, got 'grader math-verify, vote behaviour'; "
        "expected grader qwen, vote behaviour, as a",
    ):
        refuse_other_grading([("a", qwen), ("a", qwen), ("b", GradingConfig())])
    with pytest.raises(InputError, match="vote text"):
        refuse_other_grading([("a", GradingConfig()), ("a", GradingConfig(vote="text"))])
