from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from prmkit.errors import InputError
from prmkit.models.gguf.header import Header
from prmkit.models.gguf.rope import rope_scaling

LLAMA_3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def header(**keys: Any) -> Header:
    told = {f"llama.{key.replace('__', '.')}": value for key, value in keys.items()}
    metadata = {"general.architecture": "llama", "llama.rope.freq_base": 500000.0, "llama.rope.dimension_count": 128}
    return Header(path=Path("a.gguf"), metadata=metadata | told, tensors=(), start=0, size=0)


def llama_3_factors(**options: Any) -> list[float]:
    """What transformers' own Llama 3 divides each frequency by."""
    rope = {"rope_theta": 500000.0, **LLAMA_3, **options}
    config = LlamaConfig(head_dim=128, max_position_embeddings=131072, rope_parameters=rope)
    stretched, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    return [500000.0 ** (-2 * index / 128) / float(value) for index, value in enumerate(stretched)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, {}),
        ({"rope__scaling__type": "none"}, {}),
        ({"rope__scaling__type": "yarn", "rope__scaling__factor": 1.0}, {}),
        (
            {"rope__scaling__type": "linear", "rope__scaling__factor": 4.0},
            {"rope_type": "linear", "factor": 4.0},
        ),
        (
            {
                "rope__scaling__type": "yarn",
                "rope__scaling__factor": 4.0,
                "rope__scaling__original_context_length": 32768,
                "rope__scaling__finetuned": True,
            },
            {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
        ),
    ],
)
def test_scaling_is_said_in_transformers_words(keys: dict[str, Any], expected: dict[str, Any]) -> None:
    assert rope_scaling(header(**keys), None) == expected


def test_nothing_is_stretched_by_ones() -> None:
    assert rope_scaling(header(), [1.0] * 64) == {}


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_llama_3_is_known_by_what_its_frequencies_are_divided_by(factor: float) -> None:
    found = rope_scaling(header(), llama_3_factors(factor=factor))
    assert found == LLAMA_3 | {"factor": pytest.approx(factor)}


@pytest.mark.parametrize(
    ("keys", "factors"),
    [
        ({"rope__scaling__type": "longrope"}, None),
        ({"rope__scaling__type": "linear"}, None),
        ({"rope__scaling__type": "yarn", "rope__scaling__factor": 4.0}, None),
        (
            {
                "rope__scaling__type": "yarn",
                "rope__scaling__factor": 4.0,
                "rope__scaling__original_context_length": 4096,
                "rope__scaling__attn_factor": 2.0,
            },
            None,
        ),
        ({}, [1.0, 2.0]),
        ({}, []),
        ({}, llama_3_factors(high_freq_factor=8.0)),
        ({"attention__head_count": 0, "rope__dimension_count": None}, [8.0]),
    ],
)
def test_other_ways_are_refused(keys: dict[str, Any], factors: list[float] | None) -> None:
    with pytest.raises(InputError, match="stretched in a way that is not read here"):
        rope_scaling(header(**keys), factors)


def test_the_width_of_a_head_follows_where_it_is_not_said() -> None:
    keys = {"rope__dimension_count": None, "embedding_length": 512, "attention__head_count": 4}
    assert rope_scaling(header(**keys), llama_3_factors())["factor"] == pytest.approx(8.0)
