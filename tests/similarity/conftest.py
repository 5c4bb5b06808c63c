"""Tiny reference models of several families and some responses to them."""

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from prmkit.models.backbone import load_causal_lm
from prmkit.similarity.response import Response
from tests.tiny import tiny_backbone


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    folder: Path = tmp_path_factory.mktemp("reference")
    return load_causal_lm(tiny_backbone(folder), torch.float32)[0]


SHAPES = {
    # Grouped-query attention and tied embeddings.
    "qwen2": {"num_key_value_heads": 1, "tie_word_embeddings": True, "intermediate_size": 48},
    "llama": {"num_key_value_heads": 2, "tie_word_embeddings": False, "intermediate_size": 48},
    # Fused query, key and value; matrices stored the other way around; learned positions; biases everywhere.
    "gpt2": {"n_inner": 48},
}


def family(kind: str, layers: int = 3) -> PreTrainedModel:
    """A random model of a family, its weights large enough that its gradients are not all alike."""
    config = AutoConfig.for_model(
        kind,
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        vocab_size=40,
        max_position_embeddings=64,
        initializer_range=0.2,
        **SHAPES[kind],
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found: PreTrainedModel = AutoModelForCausalLM.from_config(config).eval()
    return found


def mixture() -> PreTrainedModel:
    """A model of experts, which get tokens without being told whose."""
    config = AutoConfig.for_model(
        "mixtral", hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, vocab_size=40,
        intermediate_size=16, num_local_experts=4, num_experts_per_tok=1, max_position_embeddings=64,
    )  # fmt: skip
    return AutoModelForCausalLM.from_config(config).eval()


def handing_on_tuples(kind: str, layers: int = 2) -> PreTrainedModel:
    """A random model whose layers hand on their states as the first of several things."""
    config = AutoConfig.for_model(
        kind, hidden_size=32, num_hidden_layers=layers, num_attention_heads=4, vocab_size=40,
        max_position_embeddings=64, bos_token_id=0, eos_token_id=1,
        **({"rotary_dim": 4} if kind == "gptj" else {}),
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).eval()


@pytest.fixture(scope="session", params=SHAPES)
def each_family(request: pytest.FixtureRequest) -> PreTrainedModel:
    return family(request.param)


def response(*ids: int, problem: str = "p", prompt: int = 2, ends: tuple[int, ...] = ()) -> Response:
    return Response(problem_id=problem, ids=ids, prompt_length=prompt, text=" ".join(map(str, ids[prompt:])), ends=ends)


@pytest.fixture
def responses() -> list[Response]:
    return [
        response(4, 5, 6, 7, problem="a"),
        response(4, 5, 8, 9, 10, 11, problem="a"),
        response(12, 13, 6, problem="b"),
        response(12, 13, 14, 15, 16, problem="b"),
    ]
