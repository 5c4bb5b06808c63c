import pytest
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.parameters import OUTSIDE, chosen_parameters

# Hidden 32, 2 heads of 16, 1 key head, intermediate 64.
ATTENTION = 32 * 32 + 2 * 16 * 32 + 32 * 32
MLP = 3 * 32 * 64


@pytest.mark.parametrize(("parameters", "size"), [("attention", ATTENTION), ("mlp", MLP), ("linear", ATTENTION + MLP)])
def test_matrices_count_and_norms_and_biases_do_not(model: PreTrainedModel, parameters: str, size: int) -> None:
    chosen = chosen_parameters(model, SimilarityConfig(parameters=parameters))  # type: ignore[arg-type]
    assert [(part.layer, part.size) for part in chosen] == [(0, size), (1, size)]


def test_all_is_every_parameter_once(model: PreTrainedModel) -> None:
    chosen = chosen_parameters(model, SimilarityConfig(parameters="all"))
    assert [part.layer for part in chosen] == [0, 1, OUTSIDE]
    assert sum(part.size for part in chosen) == sum(parameter.numel() for parameter in model.parameters())


def test_a_range_of_layers(model: PreTrainedModel) -> None:
    assert [part.layer for part in chosen_parameters(model, SimilarityConfig(layers=(1, 2)))] == [1]
    with pytest.raises(InputError, match=r"no such layers, got \(0, 3\)"):
        chosen_parameters(model, SimilarityConfig(layers=(0, 3)))


@pytest.mark.parametrize("layers", [(2, 1), (-1, 1), (1, 1)])
def test_layers_stand_in_order(layers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="0 <= start < stop"):
        SimilarityConfig(layers=layers)
