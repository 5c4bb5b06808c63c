from pathlib import Path

from prmkit.recipe.execute import execute
from prmkit.recipe.stage import Resources
from prmkit.recipe.stages.world import STAGE
from prmkit.world import WorldResult
from tests.recipe.stages.bound import bound


def test_the_shipped_models_are_put_there_once_and_the_second_time_only_looked_at(tmp_path: Path) -> None:
    recipe = bound("synthetic/world")
    folder, first = execute(recipe, tmp_path / "world")
    assert isinstance(first, WorldResult)
    assert first.policy.flops == 6 * first.policy.parameters * first.policy.tokens
    (folder.path / "policy" / "config.json").write_text("changed")
    assert execute(recipe, folder.path, resume=True)[1] == first
    assert (folder.path / "policy" / "config.json").read_text() == "changed"


def test_the_cost_is_copying_or_the_optimiser_steps_of_both_models() -> None:
    assert STAGE.cost(bound("synthetic/world"), Resources()) == "copies the shipped models"
    own = bound("synthetic/world", "policy.policy_steps=400", "policy.backbone_steps=600")
    assert STAGE.cost(own, Resources()) == "1,000 optimiser steps"
    assert list(STAGE.inputs(own)) == []
