from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.evaluation import (
    EvaluationResult,
    evaluate_solutions,
    evaluation_file,
    read_evaluation,
    refuse_solutions,
)
from prmkit.evaluate.judging import judge
from prmkit.evaluate.selection import Samples
from prmkit.evaluate.solutions import samples_of as samples_of_judged
from prmkit.evaluate.solutions import solutions_in
from prmkit.grade.config import DEFAULT
from prmkit.run.results import write_result
from prmkit.score.aggregate import Aggregation
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


def samples_of(tree: StepTree, how: Aggregation) -> Samples:
    return samples_of_judged(judge(solutions_in(tree), DEFAULT), how)


def evaluate_trees(trees: list[StepTree]) -> dict[str, Any]:
    return evaluate_solutions(list(map(solutions_in, trees))).as_json()


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


def test_how_many_solutions_are_unfinished_or_unwritten_is_said() -> None:
    one = searched([("4", None, "length"), ("4", 0.4, "eos")], name="p", asked=3)
    other = searched([("4", 0.4, "eos"), ("4", 0.4, "eos"), ("5", 0.4, "eos")], name="q")
    assert evaluate_trees([one, other])["unfinished"] == 2
    assert evaluate_trees([other])["unfinished"] == 0


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
    assert result["within_problem_auc"] is None
    assert result["calibration"] is None
    assert result["curves"]["prm"] == []


def test_a_missing_score_is_an_error_not_zero() -> None:
    with pytest.raises(InputError, match="a step has no score"):
        evaluate_trees([searched([("4", 0.5, "eos"), ("5", None, "eos")])])


def test_what_cannot_be_evaluated_is_refused_before_anything_is_judged() -> None:
    good = solutions_in(searched([("4", 0.5, "eos"), ("5", None, "length")]))  # who did not end needs no score
    refuse_solutions([good], "last")
    for bad, message in (
        (searched([("4", 0.5, "eos"), ("5", None, "eos")]), "a step has no score"),
        (StepTree(Problem(id="p", prompt="?", answer="4")), "p: the problem has no solution"),
        (StepTree.from_steps(Problem(id="p", prompt="?"), ["4"], [None]), "p: the problem has nothing to judge"),
    ):
        with pytest.raises(InputError, match=message):
            refuse_solutions([good, solutions_in(bad)], "last")


def test_an_evaluation_is_read_from_a_search_its_own_folder_or_a_file(tmp_path: Path) -> None:
    found = evaluate_solutions([solutions_in(searched([("4", 0.5, "eos")]))])
    write_result(tmp_path / "run" / "evaluation" / "metrics.json", found)
    places = (tmp_path / "run", tmp_path / "run" / "evaluation", tmp_path / "run" / "evaluation" / "metrics.json")
    for place in places:
        assert read_evaluation(place).as_json() == found.as_json()
        assert evaluation_file(place) == places[-1]
    assert isinstance(read_evaluation(places[0]), EvaluationResult)
    with pytest.raises(InputError, match=r"no evaluation to compare with.* Run prmkit evaluate"):
        read_evaluation(tmp_path)
    (tmp_path / "samples.jsonl").write_text("{}\n{}\n")
    with pytest.raises(InputError, match=r"samples\.jsonl: no evaluation to compare with"):
        read_evaluation(tmp_path / "samples.jsonl")


def test_there_is_nothing_to_evaluate_of_nothing() -> None:
    with pytest.raises(InputError, match="nothing to evaluate"):
        evaluate_solutions([])
