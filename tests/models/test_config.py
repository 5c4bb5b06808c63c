from prmkit.generate import GeneratorConfig
from prmkit.models.config import ModelConfig, NamedModel, NamesModel
from prmkit.score import PrmConfig


def test_each_part_that_names_a_model_says_which_and_what_it_is() -> None:
    backbone = ModelConfig(name="b")
    assert isinstance(backbone, NamesModel)
    assert backbone.named_model == NamedModel("backbone", "b", weights=True, key="name")
    assert GeneratorConfig(name="p").named_model == NamedModel("policy", "p")
    assert PrmConfig(checkpoint="c").named_model == NamedModel("PRM", "c", key="checkpoint")
    assert not isinstance(backbone.format, NamesModel)
