import json
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.side_by_side import SideBySideResult
from prmkit.grade.config import GradingConfig
from prmkit.recipe.execute import execute, prepare
from prmkit.recipe.stage import Resources
from prmkit.recipe.stages.search import STAGE
from prmkit.run.results import read_result
from prmkit.search.result import SearchResult
from prmkit.world import WEIGHTS
from tests.recipe.stages.bound import bound

SMALL = (f"generator.name={WEIGHTS / 'policy'}", "scorer=null", "problems.limit=3")
MAJORITY = "strategy={name: majority, options: {n: 2}}"


def test_one_strategy_says_what_it_found_and_how_it_was_judged(tmp_path: Path) -> None:
    recipe = bound("synthetic/search-math", *SMALL, MAJORITY, "grading.grader=qwen")
    folder, result = execute(recipe, tmp_path / "run")
    assert isinstance(result, SearchResult)
    assert (result.benchmark, result.strategy, result.accuracy.n) == ("synthetic-math", "majority", 3)
    assert (result.grading, result.isolation) == (GradingConfig(grader="qwen"), [])
    trees = folder.trees.read_bytes()
    resumed = execute(recipe, folder.path, resume=True)[1]
    assert folder.trees.read_bytes() == trees
    assert resumed.ledger.replayed > 0  # type: ignore[union-attr]


def test_several_strategies_have_a_folder_each_and_share_what_they_draw(tmp_path: Path) -> None:
    two = "compare={few: {name: majority, options: {n: 2}}, many: {name: majority, options: {n: 4}}}"
    recipe = bound("synthetic/search-math", *SMALL, "strategy=null", two)
    folder, result = execute(recipe, tmp_path / "run")
    assert isinstance(result, SideBySideResult)
    assert [each.strategy for each in result.strategies] == ["few", "many"]
    assert [each.pair for each in result.differences] == ["few - many"]
    parts = [read_result(folder.path / name / "metrics.json", SearchResult) for name in ("few", "many")]
    assert parts[0].accuracy == result.strategies[0].accuracy
    replies = len(folder.journal.read_text().splitlines())
    assert replies == 3 * 2  # of each problem the two first, then two more
    assert json.loads((folder.path / "many" / "costs.jsonl").read_text().splitlines()[0])["generations"] == 4


def test_an_illegal_strategy_or_problem_is_refused_before_a_model_is_loaded() -> None:
    for each, message in (
        ("strategy={name: majority, options: {n: 1}}", r"illegal strategy\.options\.n"),
        ("problems.benchmark=synthetic-maths", "unknown benchmark"),
        ("problems.limit=1", "cannot|no such|not"),
    ):
        with pytest.raises(InputError, match=message):
            prepare(bound("synthetic/search-math", "generator.name=/nowhere", "scorer=null", MAJORITY, each))


def test_the_cost_is_what_the_recipe_asks_for() -> None:
    assert STAGE.cost(bound("synthetic/search-math"), Resources()) == "250 problems x 8 solutions"
    assert STAGE.cost(bound("synthetic/strategies"), Resources()) == "200 problems x 16 generations, 3 strategies"
    recipe = bound("synthetic/search-math", "problems.path=p.jsonl")
    assert list(STAGE.inputs(recipe)) == ["p.jsonl"]


def test_a_recipe_names_one_strategy_or_several() -> None:
    with pytest.raises(InputError, match="give either strategy or compare"):
        bound("synthetic/search-math", "strategy=null")
