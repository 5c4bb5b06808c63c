from collections.abc import Sequence
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.labelled import (
    StepsResult,
    choose_threshold,
    evaluate_labelled,
    refuse_choice,
    refuse_labels,
    score_trees,
)
from prmkit.evaluate.resumable import Finished
from prmkit.evaluate.steps import ClassReports, StepReport
from prmkit.run.results import read_result, write_result
from prmkit.score import Scores
from prmkit.score.reading import ReadingScorer
from prmkit.tree import Label, Problem, StepTree
from tests.fakes import TableScorer
from tests.report.runs import measured_steps
from tests.tiny import path_tree


def scored(prompt: str, *steps: tuple[float | None, float | None]) -> StepTree:
    """A path of (label, score)."""
    tree = path_tree(prompt, [(f"step {index}", label) for index, (label, _) in enumerate(steps)])
    for node, (_, score) in enumerate(steps):
        if score is not None:
            tree.set_score(node, score)
    return tree


TREES = [
    scored("found", (1.0, 0.9), (0.0, 0.1), (None, 0.2)),
    scored("too late", (1.0, 0.9), (0.0, 0.8), (None, 0.2)),
    scored("accepted", (1.0, 0.9), (1.0, 0.7)),
]


def test_the_official_figures_by_hand() -> None:
    result = evaluate_labelled(TREES, 0.5).as_json()
    assert (result["solutions"], result["cut"]) == (3, 0)
    assert (result["erroneous"]["value"], result["erroneous"]["n"]) == (0.5, 2)
    assert (result["correct"]["value"], result["correct"]["n"]) == (1.0, 1)
    assert result["f1"]["value"] == pytest.approx(2 * 0.5 * 1.0 / 1.5)
    # Right 0.9 0.9 0.9 0.7 against wrong 0.1 0.8: 0.1 loses to all four, 0.8 to three.
    assert result["step_auc"]["value"] == pytest.approx((4 + 3) / 8)


def test_the_threshold_decides_what_is_wrong() -> None:
    # Below 0.85: found and too late are now both right, but 0.7 of accepted is called wrong.
    result = evaluate_labelled(TREES, 0.85).as_json()
    assert (result["erroneous"]["value"], result["correct"]["value"], result["f1"]["value"]) == (1.0, 0.0, 0.0)
    assert result["best"]["f1"]["value"] == pytest.approx(2 / 3)


def test_steps_that_the_prm_did_not_read_count_as_right_and_the_solution_as_cut() -> None:
    cut = scored("cut", (1.0, 0.9), (0.0, None))
    result = evaluate_labelled([*TREES, cut], 0.5).as_json()
    assert result["cut"] == 1
    assert result["erroneous"]["value"] == pytest.approx(1 / 3)
    assert result["step_auc"]["value"] == pytest.approx((5 + 4) / 10)


def test_trees_without_a_label_are_no_evaluation() -> None:
    with pytest.raises(InputError, match="no solution has a label"):
        evaluate_labelled([scored("a", (None, 0.5))], 0.5)


def test_labels_that_say_too_little_are_refused_before_a_step_is_scored() -> None:
    right, wrong, mixed = (
        path_tree(str(labels), [("x", label) for label in labels]) for labels in ((1,), (0,), (1, 0))
    )
    for refuse in (refuse_labels, refuse_choice):
        refuse([right, wrong])
        with pytest.raises(InputError, match="no solution has a label"):
            refuse([path_tree("p", [("x", None)])])
    refuse_labels([right])
    refuse_labels([mixed])
    with pytest.raises(InputError, match="F1 needs solutions with and without an error, got '1 with, 0 without'"):
        refuse_choice([mixed])


def test_solutions_of_one_kind_have_the_accuracy_on_that_kind_alone() -> None:
    erroneous, correct = evaluate_labelled(TREES[:2], 0.5), evaluate_labelled(TREES[2:], 0.5)
    assert erroneous.erroneous is not None
    assert (erroneous.erroneous.value, erroneous.erroneous.n) == (0.5, 2)
    assert correct.correct is not None
    assert (correct.correct.value, correct.correct.n) == (1.0, 1)
    assert erroneous.correct is correct.erroneous is erroneous.f1 is correct.f1 is erroneous.best is None


def test_steps_of_one_kind_have_every_figure_but_the_auc() -> None:
    found = evaluate_labelled([scored("a", (1.0, 0.9), (1.0, 0.4))], 0.5)
    assert found.step_auc is None
    assert (found.steps.f1, found.steps.negative_f1, found.steps.accuracy) == (pytest.approx(2 / 3), 0.0, 0.5)
    assert found.calibration.brier.value == pytest.approx((0.1**2 + 0.6**2) / 2)


def classed(name: str, prompt: str, *steps: tuple[float | None, float | None]) -> StepTree:
    tree = scored(prompt, *steps)
    tree.meta["class"] = name
    return tree


def test_of_two_solutions_with_one_id_in_a_class_the_first_counts_and_that_is_said() -> None:
    first, second = classed("circular", "p", (1.0, 0.9)), classed("circular", "p", (1.0, 0.1), (0.0, 0.1))
    other = classed("deception", "p", (0.0, 0.1))
    found = evaluate_labelled([first, second, other], 0.5)
    assert (found.solutions, found.repeated) == (2, 1)
    assert found.by_class is not None
    assert {name: report.steps for name, report in found.by_class.classes.items()} == {"circular": 1, "deception": 1}
    assert evaluate_labelled([scored("p", (1.0, 0.9)), scored("p", (1.0, 0.1))], 0.5).repeated == 0


def test_the_scores_of_classes_in_an_older_result_are_put_right(tmp_path: Path) -> None:
    """Version 1 halved multi_solutions, and took the mean of the classes for all steps."""
    half = StepReport(steps=2, accuracy=1.0, f1=1.0, negative_f1=0.0, prm_score=0.5)
    older = ClassReports(classes={"multi_solutions": half}, categories={"sensitivity": 0.5}, prm_score=0.5)
    file = tmp_path / "metrics.json"
    for by_class in (older, None):
        steps = StepReport(steps=4, accuracy=0.5, f1=0.5, negative_f1=0.25, prm_score=0.375)
        write_result(file, measured_steps(by_class=by_class, steps=steps))
        file.write_text(file.read_text().replace("prmkit/steps/2", "prmkit/steps/1"))
        found = read_result(file, StepsResult)
        assert found.steps == steps
        if by_class is not None:
            assert found.by_class == ClassReports(
                classes={"multi_solutions": half.model_copy(update={"prm_score": 1.0})},
                categories={"sensitivity": 1.0},
                prm_score=0.375,
            )
        else:
            assert found.by_class is None


def test_a_threshold_is_chosen_on_another_split_which_is_named() -> None:
    chosen = choose_threshold(TREES, "apart.jsonl")
    result = evaluate_labelled(TREES, chosen).as_json()
    assert (result["threshold"], result["threshold_from"]) == (chosen.value, "apart.jsonl")
    assert evaluate_labelled(TREES, 0.5).threshold_from == "given"


def test_calibration_and_single_steps_by_hand() -> None:
    # Scores of the read and labelled steps, with their labels: right 0.9, 0.6; wrong 0.7, 0.1.
    tree = scored("a", (1.0, 0.9), (1.0, 0.6), (0.0, 0.7))
    other = scored("b", (0.0, 0.1))
    result = evaluate_labelled([tree, other], 0.65).as_json()
    # Called right: 0.9 and 0.7. Right steps: precision 1/2, recall 1/2; wrong steps: the same.
    assert result["steps"] == {"steps": 4, "accuracy": 0.5, "f1": 0.5, "negative_f1": 0.5, "prm_score": 0.5}
    brier = (0.1**2 + 0.4**2 + 0.7**2 + 0.1**2) / 4
    assert result["calibration"]["brier"]["value"] == pytest.approx(brier)
    assert result["calibration"]["ece"] == pytest.approx((0.1 + 0.4 + 0.7 + 0.1) / 4)
    assert [row["position"] for row in result["calibration"]["by_position"]] == ["1", "2", "3"]
    assert result["calibration"]["by_position"][0]["right"] == 0.5


class ShortScorer(TableScorer):
    """Reads one step of each solution."""

    def fits(self, tree: StepTree, node: int) -> bool:
        return len(tree.path(node)) <= 1

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        if not all(self.fits(tree, node) for node in nodes):
            raise InputError("longer than the PRM's context")
        return await super().score(tree, nodes)


def test_every_step_within_the_context_is_scored_once() -> None:
    trees = [path_tree(name, [("a", 1.0), ("b", 0.0)]) for name in ("p", "q")]
    seen: list[int] = []
    costs = score_trees(trees, TableScorer({"a": 0.25, "b": 0.5}), done=seen.append)
    assert [[node.score for node in tree] for tree in trees] == [[0.25, 0.5]] * 2
    assert seen == [1, 1]
    assert (costs.steps, costs.unscored, costs.tokens) == (4, 0, 4)


def test_steps_beyond_the_context_keep_no_score() -> None:
    tree = path_tree("p", [("a", 1.0), ("b", 0.0)])
    costs = score_trees([tree], ShortScorer({"a": 0.25}))
    assert [node.score for node in tree] == [0.25, None]
    assert (costs.steps, costs.unscored) == (1, 1)


def test_a_path_beyond_the_context_is_read_by_windows_and_the_cost_says_of_how_many_steps(tmp_path: Path) -> None:
    def trees() -> list[StepTree]:
        return [path_tree(name, [("a", 1.0), ("b", 0.0), ("a", 0.0)][:length]) for name, length in (("p", 3), ("q", 1))]

    first, again = trees(), trees()
    file = tmp_path / "scored.jsonl"
    scorer = ReadingScorer(ShortScorer({"a": 0.25, "b": 0.5}))
    for found in (first, again):  # scored, and taken from the file
        costs = score_trees(found, scorer, finished=Finished(file))
        assert [[node.score for node in tree] for tree in found] == [[0.25, 0.5, 0.25], [0.25]]
        assert (costs.steps, costs.unscored, costs.windowed, costs.tokens) == (4, 0, 2, 4)
        assert evaluate_labelled(found, 0.5).cut == 0
    kept = [
        line.replace(b',"windowed":2', b"").replace(b',"windowed":0', b"") for line in file.read_bytes().splitlines()
    ]
    file.write_bytes(b"\n".join(kept) + b"\n")
    assert score_trees(trees(), scorer, finished=Finished(file)).windowed == 0  # of an earlier version, which had none


def test_steps_that_are_not_read_are_neither_scored_nor_judged() -> None:
    """Thoughts 0.9 right, 0.1 wrong; answers 0.6 right, 0.2 wrong."""
    tree = StepTree(Problem(id="p", prompt="?"))
    for text, thought, label in (("t0", True, 1.0), ("t1", True, 0.0), ("a0", False, 1.0), ("a1", False, 0.0)):
        tree.add(len(tree) - 1, text, thought=thought, label=Label(value=label, source="human"))
    other = path_tree("q", [("a0", 1.0)])
    scorer = ReadingScorer(TableScorer({"a0": 0.6, "a1": 0.2}), "answer")
    costs = score_trees([tree, other], scorer)
    assert (costs.steps, costs.unscored, tree.reads) == (3, 0, "answer")
    found = evaluate_labelled([tree, other], 0.5)
    assert (found.cut, found.steps.steps) == (0, 3)
    assert found.erroneous is not None
    assert found.erroneous.value == 1.0  # the first wrong step of those that are read is a1


def test_scores_are_kept_and_a_second_scoring_asks_nobody(tmp_path: Path) -> None:
    def trees() -> list[StepTree]:
        return [path_tree(name, [("a", 1.0), ("b", 0.0)]) for name in ("p", "q")]

    first, second = trees(), trees()
    file = tmp_path / "scored.jsonl"
    cost = score_trees(first, TableScorer({"a": 0.25, "b": 0.5}), finished=Finished(file))
    again = score_trees(second, TableScorer({}), finished=Finished(file))  # it knows no step: asked, it would fail
    assert [[node.score for node in tree] for tree in second] == [[node.score for node in tree] for tree in first]
    assert (again.steps, again.tokens) == (cost.steps, cost.tokens)


def test_the_error_of_a_scorer_is_raised_as_it_is() -> None:
    with pytest.raises(KeyError):
        score_trees([path_tree("p", [("unknown", 1.0)])], TableScorer({}))
