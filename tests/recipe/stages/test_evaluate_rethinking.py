from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.rethinking import RethinkingResult
from prmkit.recipe.bind import bind
from prmkit.recipe.compose import compose
from prmkit.recipe.execute import execute, prepare
from prmkit.recipe.stages.evaluate_rethinking import STAGE, EvaluateRethinkingRecipe
from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import write_trees
from tests.recipe.stages.searched import search_run


def test_steps_that_think_again_are_looked_at_and_the_record_replays_it(tmp_path: Path) -> None:
    tree = StepTree(Problem(id="p", prompt="2 + 2", answer="4"))
    first = tree.add(ROOT, "5", score=0.25)
    second = tree.add(first, "wait, 4", score=0.75)
    tree.add(second, "#### 4", score=0.5, finish="eos")
    (tmp_path / "run").mkdir()
    write_trees(tmp_path / "run" / "trees.jsonl", [tree])
    recipe = EvaluateRethinkingRecipe(stage="evaluate-rethinking", path=str(tmp_path / "run"))
    assert STAGE.folder(recipe) == tmp_path / "run" / "rethinking"
    folder, result = execute(recipe, tmp_path / "out")
    assert isinstance(result, RethinkingResult)
    assert result.differences.before is not None
    assert (result.differences.before.value, result.right.without) == (0.5, None)
    assert result.right.with_ is not None
    assert result.right.with_.value == 1.0
    assert execute(bind(compose(folder.record)), tmp_path / "again")[1] == result
    assert list(STAGE.inputs(recipe)) == [f"{tmp_path}/run/trees.jsonl"]


def test_a_search_without_scores_is_refused_before_anything_is_judged(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", [[("4", None)]])
    with pytest.raises(InputError, match="no step has a score; expected a search with a PRM"):
        prepare(EvaluateRethinkingRecipe(stage="evaluate-rethinking", path=str(run)))
