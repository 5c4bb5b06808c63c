from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.reselection import SelectionResult
from prmkit.recipe.bind import bind
from prmkit.recipe.compose import compose
from prmkit.recipe.execute import execute, prepare
from prmkit.recipe.stages.evaluate_selection import STAGE, EvaluateSelectionRecipe
from prmkit.tree import Problem, StepTree
from prmkit.trees_io import write_trees
from tests.recipe.stages.searched import search_run

PROBLEMS = [[("4", 0.9), ("5", 0.2)], [("6", 0.9), ("4", 0.3)]]


def accuracies(result: object) -> dict[tuple[str, str], float]:
    assert isinstance(result, SelectionResult)
    return {
        (row.strategy, row.rule): row.accuracy.value for row in result.selection if row.aggregation in (None, "last")
    }


def test_every_rule_is_tried_on_a_search_and_the_record_replays_it(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", PROBLEMS)
    recipe = EvaluateSelectionRecipe(stage="evaluate-selection", path=str(run))
    assert STAGE.folder(recipe) == run / "selection"
    folder, result = execute(recipe, run / "selection")
    # Of both problems one answer is right, and the votes are tied; only the first has it scored best.
    expected = {("best-of-n", "majority"): 0.5, ("best-of-n", "best"): 0.5, ("best-of-n", "weighted"): 0.5}
    assert accuracies(result) == expected
    assert execute(bind(compose(folder.record)), tmp_path / "again")[1] == result
    assert list(STAGE.inputs(recipe)) == [f"{run}/trees.jsonl"]


def test_strategies_side_by_side_are_told_apart(tmp_path: Path) -> None:
    search_run(tmp_path / "run" / "beam", [[("4", 0.9), ("5", 0.2)]])
    search_run(tmp_path / "run" / "greedy", [[("5", 0.9), ("5", 0.2)]])
    _, result = execute(
        EvaluateSelectionRecipe(stage="evaluate-selection", path=str(tmp_path / "run")), tmp_path / "out"
    )
    found = accuracies(result)
    assert (found["beam", "best"], found["greedy", "best"]) == (1.0, 0.0)
    assert result.grading.grader == "math-verify"  # type: ignore[union-attr]


def test_a_problem_without_an_answer_is_refused_before_anything_is_judged(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write_trees(tmp_path / "run" / "trees.jsonl", [StepTree.from_steps(Problem(id="p", prompt="?"), ["4"], [None])])
    with pytest.raises(InputError, match="p: the problem has nothing to judge its solutions by"):
        prepare(EvaluateSelectionRecipe(stage="evaluate-selection", path=str(tmp_path / "run")))
