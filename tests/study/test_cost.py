import json
from pathlib import Path

import pytest

from prmkit.recipe.bind import bind
from prmkit.recipe.catalog import locate
from prmkit.recipe.compose import compose
from prmkit.study.cost import expected_seconds, planned_cost
from prmkit.study.grid import Cell
from prmkit.train.machines import machine_of


def cell(recipe: str | None, *overrides: str, gpus: int = 0, nodes: int = 1) -> Cell:
    bound = bind(compose(locate(recipe), overrides)) if recipe is not None else None
    return Cell(name="a-1", words=(), folder=Path("a-1"), after=(), recipe=bound, gpus=gpus, nodes=nodes)


@pytest.mark.parametrize(
    ("recipe", "overrides", "cost"),
    [
        ("synthetic/search-math", [], "250 problems x 8 solutions"),
        ("search/math500", [], "all problems x 16 generations"),
        ("synthetic/strategies", [], "200 problems x 16 generations, 3 strategies"),
        ("synthetic/annotate", [], "unknown; --pilot tries a few problems"),
        ("synthetic/world", [], "copies the shipped models"),
        ("synthetic/world", ["policy.policy_steps=400", "policy.backbone_steps=600"], "1,000 optimiser steps"),
        ("synthetic/similarity", [], "a forward and backward pass for each response of 4 sets"),
        (None, [], "reads files"),
    ],
)
def test_the_cost_is_what_the_recipe_asks_for(recipe: str | None, overrides: list[str], cost: str) -> None:
    assert planned_cost(cell(recipe, *overrides), None, pilot=False) == cost


def test_a_training_is_planned_on_as_many_gpus_as_it_asks_for() -> None:
    alone = planned_cost(cell("prm800k/72b"), machine_of("8xH100"), pilot=False)
    assert alone.startswith("2 epochs; 8xH100: ")
    assert "does not fit" in alone
    together = planned_cost(cell("prm800k/72b", gpus=8, nodes=4), machine_of("H100"), pilot=False)
    assert together.startswith("2 epochs; 32xH100: ")
    assert "does not fit" not in together
    own = planned_cost(cell("synthetic/train", "model.name=/nowhere"), machine_of("H100"), pilot=False)
    assert own.startswith("10 epochs; unknown (")


def test_seconds_are_those_of_other_runs_of_the_kind(tmp_path: Path) -> None:
    for name, seconds in (("train-1", 10.0), ("train-2", 20.0), ("train-3", 60.0)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"seconds": seconds, "result": {}}))
    names = ("train-2", "train-4", "search-1")
    cells = {name: Cell(name=name, words=(), folder=tmp_path / name, after=(), recipe=None) for name in names}
    assert expected_seconds(cells) == {"train-2": 20.0, "train-4": 20.0, "search-1": None}
