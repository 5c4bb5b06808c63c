from prmkit.packing.format import StepFormat
from prmkit.recipe.keys import Key, fields_at, legal_keys
from prmkit.recipe.stages.search import SearchRecipe
from prmkit.recipe.stages.train import TrainRecipe


def test_keys_tell_type_default_and_meaning() -> None:
    keys = {key.name: key for key in legal_keys(TrainRecipe)}
    assert keys["train.devices"] == Key("train.devices", "int | auto", "'auto'", "devices of this machine")
    assert keys["data.limit"].type == "int | none"
    assert keys["data.options"].type == "dict[str, Any]"
    assert keys["model.name"].default == "required"
    assert "train" not in keys


def test_the_fields_below_a_key_are_those_of_its_config() -> None:
    assert list(fields_at(TrainRecipe, ["model", "format"])) == list(StepFormat.model_fields)
    assert fields_at(TrainRecipe, ["data", "options"]) == {}


def test_a_key_that_several_engines_have_is_listed_once() -> None:
    names = [key.name for key in legal_keys(SearchRecipe)]
    assert len(names) == len(set(names))
    keys = {key.name: key for key in legal_keys(SearchRecipe)}
    assert keys["generator.engine.name"].type == "transformers | vllm | openai | chat | str"
    assert keys["generator.engine.name"].default == "'transformers'"
    assert keys["scorer.engine.consensus"].type == "mean | min | majority"
