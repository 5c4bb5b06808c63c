import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.parameters import OUTSIDE, Tile, chosen_parts, tiles_of
from tests.similarity.conftest import family

# Hidden 32, 2 heads of 16, 1 key head, intermediate 64.
ATTENTION = 32 * 32 + 2 * 16 * 32 + 32 * 32
MLP = 3 * 32 * 64


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("attention", [("attention", ATTENTION)]),
        ("mlp", [("mlp", MLP)]),
        ("linear", [("attention", ATTENTION), ("mlp", MLP)]),
        ("wang2025-code", [("attention", ATTENTION), ("mlp", MLP)]),
    ],
)
def test_matrices_count_and_norms_and_biases_do_not(
    model: PreTrainedModel, parameters: str, expected: list[tuple[str, int]]
) -> None:
    chosen = chosen_parts(model, SimilarityConfig(parameters=parameters))  # type: ignore[arg-type]
    assert [(part.layer, part.kind, part.size) for part in chosen] == [
        (layer, *found) for layer in (0, 1) for found in expected
    ]
    assert all(weight.module is not None for part in chosen for weight in part.weights)


def test_all_is_every_parameter_once(model: PreTrainedModel) -> None:
    chosen = chosen_parts(model, SimilarityConfig(parameters="all"))
    assert chosen[-1].layer == OUTSIDE
    assert sum(part.size for part in chosen) == sum(parameter.numel() for parameter in model.parameters())


def test_wangs_code_drops_long_matrices(monkeypatch: pytest.MonkeyPatch, model: PreTrainedModel) -> None:
    """As it drops the whole MLP of Qwen2.5-7B."""
    monkeypatch.setattr("prmkit.similarity.patterns.parameters._LONGEST_SIDE", 63)
    assert {part.kind for part in chosen_parts(model, SimilarityConfig(preset="wang2025-code", layers=None))} == {
        "attention"
    }


def test_a_range_of_layers(model: PreTrainedModel) -> None:
    parts = chosen_parts(model, SimilarityConfig(layers=(1, 2)))
    assert {part.layer for part in parts} == {1}
    with pytest.raises(InputError, match=r"no such layers, got \(0, 3\)"):
        chosen_parts(model, SimilarityConfig(layers=(0, 3)))


def test_deep_layers_are_half_the_depth_to_all_but_two(model: PreTrainedModel) -> None:
    chosen = chosen_parts(family("llama", layers=8), SimilarityConfig(preset="wang2025"))
    assert sorted({part.layer for part in chosen}) == [4, 5]
    with pytest.raises(InputError, match="no such layers, got 'deep'; expected a range in"):
        chosen_parts(model, SimilarityConfig(preset="wang2025"))


def test_a_tile_is_cut_into_rows(model: PreTrainedModel) -> None:
    whole: Tile = tiles_of(enumerate(chosen_parts(model, SimilarityConfig())))[0]
    pieces = list(whole.split(13))
    assert [(piece.start, piece.stop) for piece in pieces] == [(0, 13), (13, 26), (26, 32)]
    assert sum(piece.size for piece in pieces) == whole.size == whole.values().numel()


def test_quantised_weights_are_refused_also_where_no_parameter_shows_them() -> None:
    loaded = family("qwen2")
    plain = loaded.model.layers[1].mlp.up_proj.weight
    loaded.model.layers[1].mlp.up_proj.weight = nn.Parameter(plain.data.to(torch.int8), requires_grad=False)
    with pytest.raises(InputError, match=r"layers\.1\.mlp\.up_proj\.weight: quantised .*torch\.int8.* unquantised"):
        chosen_parts(loaded, SimilarityConfig())
    loaded.model.layers[1].mlp.up_proj.weight = plain
    loaded.config.quantization_config = {"quant_method": "gptq", "bits": 4}
    with pytest.raises(InputError, match=r"quantised weights have no gradient, got .*gptq"):
        chosen_parts(loaded, SimilarityConfig())
