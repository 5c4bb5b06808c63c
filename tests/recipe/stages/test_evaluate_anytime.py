from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.anytime import AnytimeResult
from prmkit.recipe.bind import bind
from prmkit.recipe.compose import compose
from prmkit.recipe.execute import execute, prepare
from prmkit.recipe.stages.evaluate_anytime import STAGE, EvaluateAnytimeRecipe
from tests.recipe.stages.searched import search_run


def test_the_curve_of_a_search_ends_at_all_it_spent_and_the_record_replays_it(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", [[("4", 0.9), ("5", 0.2)]])
    recipe = EvaluateAnytimeRecipe(stage="evaluate-anytime", path=str(run))
    assert STAGE.folder(recipe) == run / "anytime"
    folder, result = execute(recipe, run / "anytime")
    assert isinstance(result, AnytimeResult)
    curve = result.curves["best-of-n"]
    assert (curve.kind, curve.rule, curve.aggregation) == ("parts", "best", "last")
    assert [(point.generations, point.seconds) for point in curve.points] == [(1.0, 0.5), (2.0, 1.0)]
    assert curve.points[-1].accuracy.value == 1.0
    assert 0.3 < curve.points[0].accuracy.value < 0.7  # one of two, drawn 64 times
    assert execute(bind(compose(folder.record)), tmp_path / "again")[1] == result
    assert list(STAGE.inputs(recipe)) == [f"{run}/trees.jsonl", f"{run}/costs.jsonl"]


def test_a_search_without_its_costs_or_with_wrong_ones_is_named(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", [[("4", 0.9)]])
    recipe, whole = EvaluateAnytimeRecipe(stage="evaluate-anytime", path=str(run)), (run / "costs.jsonl").read_bytes()
    (run / "costs.jsonl").write_text('{"problem": "p0", "right": true}\n')
    with pytest.raises(InputError, match=r"costs\.jsonl:1: \w+: field required"):
        prepare(recipe)
    (run / "costs.jsonl").write_bytes(whole + whole.replace(b'"p0"', b'"p1"'))
    with pytest.raises(InputError, match=r"costs\.jsonl: the costs are not those of the trees, got '2 problems'; exp"):
        prepare(recipe)
    (run / "costs.jsonl").unlink()
    with pytest.raises(InputError, match=r"costs\.jsonl: no such file"):
        prepare(recipe)
