import json
from collections.abc import Callable

from tests.commands.conftest import Answer


def test_the_grid_is_listed_with_what_runs_each_cell(prmkit: Callable[..., Answer]) -> None:
    listed = json.loads(prmkit("recipes", "--json").out)
    names = [row["name"] for row in listed]
    grid = [name for name in names if name.split("/")[0] in ("prm800k", "math-shepherd", "aslaf", "code")]
    assert len(grid) == 28
    assert all(row["about"] for row in listed)
    assert prmkit("recipes", "list", "--json").out == prmkit("recipes", "--json").out
    assert all(name in prmkit("recipes").out for name in names)


def test_a_recipe_is_shown_with_the_origin_of_every_value(prmkit: Callable[..., Answer]) -> None:
    rows = json.loads(prmkit("recipes", "show", "prm800k/7b", "--set", "train.lr=3e-6", "--json").out)
    by_key = {row["key"]: row for row in rows}
    assert by_key["train.lr"] == {"key": "train.lr", "value": 3e-6, "origin": "--set"}
    assert by_key["train.weight_decay"]["origin"] == "default"
    assert by_key["model.name"]["origin"].endswith("recipes/models/qwen2.5-7b.yaml:6")


def test_the_schema_is_for_people_and_for_editors(prmkit: Callable[..., Answer]) -> None:
    assert "train.lr" in prmkit("recipes", "schema", "train").out
    schema = json.loads(prmkit("recipes", "schema", "train", "--json").out)
    assert schema["properties"]["data"]
    wrong = prmkit("recipes", "schema", "trian")
    assert wrong.code == 2
    assert "Did you mean train?" in wrong.err


def test_an_unknown_recipe_is_answered_with_the_nearest(prmkit: Callable[..., Answer]) -> None:
    answer = prmkit("recipes", "show", "prm800k/7")
    assert (answer.code, answer.out) == (2, "")
    assert "Did you mean prm800k/7b?" in answer.err
