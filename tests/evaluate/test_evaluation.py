import pytest
from prmkit.evaluate.trees import evaluate_trees, samples_of

from prmkit.errors import InputError
from prmkit.tree import ROOT, Finish, Problem, StepTree


def searched(
    solutions: list[tuple[str, float | None, Finish]], *, name: str = "p", asked: int | None = None
) -> StepTree:
    """A tree of one-step solutions: (answer, score, finish). The right answer is 4."""
    tree = StepTree(Problem(id=name, prompt="?", answer="4"))
    for answer, score, finish in solutions:
        tree.add(ROOT, f"#### {answer}", score=score, finish=finish)
    tree.meta |= {"aggregation": "last", "generations": str(asked or len(solutions))}
    return tree


def test_samples_keep_the_order_of_writing() -> None:
    samples = samples_of(searched([("4", 0.9, "eos"), ("5", 0.2, "eos"), ("4", 0.4, "eos")]), "last")
    assert samples.scores == (0.9, 0.2, 0.4)
    assert samples.classes == (0, 1, 0)
    assert samples.correct == (True, False, True)


def test_unfinished_and_unwritten_solutions_count_and_lose() -> None:
    samples = samples_of(searched([("4", None, "length"), ("4", 0.4, "eos")], asked=3), "last")
    assert samples.scores == (0.0, 0.4, 0.0)
    assert samples.classes == (None, 0, None)
    assert samples.correct == (False, True, False)


def test_a_table_by_hand() -> None:
    # p: right answer scored best (prm@2 = 1), tie in the vote (maj@2 = 1/2), one of two right (pass@1 = 1/2).
    # q: both wrong.
    trees = [
        searched([("4", 0.9, "eos"), ("5", 0.2, "eos")], name="p"),
        searched([("6", 0.9, "eos"), ("7", 0.2, "eos")], name="q"),
    ]
    result = evaluate_trees(trees)
    values = {name: found["value"] for name, found in result["selection"].items()}
    assert values["pass@1"] == 0.25
    assert values["pass@2"] == 0.5
    assert values["maj@2"] == 0.25
    assert values["prm@2"] == 0.5
    # Differences 1/2 and 0: mean 1/4, sd sqrt(1/8), stderr sqrt(1/16) = 1/4.
    assert result["differences"]["prm@2 - maj@2"] == {"value": 0.25, "stderr": 0.25, "n": 2}
    assert result["within_problem_auc"]["value"] == 1.0
    assert result["within_problem_auc"]["n"] == 1


def test_without_a_prm_there_is_no_prm_number() -> None:
    result = evaluate_trees([searched([("4", None, "eos")]), searched([("5", None, "eos")], name="q")])
    assert not any(name.startswith("prm") for name in result["selection"])
    assert "within_problem_auc" not in result


def test_a_missing_score_is_an_error_not_zero() -> None:
    with pytest.raises(InputError, match="a step has no score"):
        evaluate_trees([searched([("4", 0.5, "eos"), ("5", None, "eos")])])
