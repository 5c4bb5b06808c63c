"""Small random backbones that attend in other ways than Llama does, each with what it is named for."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from prmkit.models.twin import likeness, twin
from tests.tiny import tiny_tokenizer

_SOME = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}
_LONG_ROPE = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0] * 48,
    "long_factor": [1.0 + index / 8 for index in range(48)],
    "original_max_position_embeddings": 4096,
}

WINDOWED: dict[str, tuple[str, dict[str, Any]]] = {
    "a window in all layers": ("mistral", {"sliding_window": 4096}),
    "a window in some layers": (
        "qwen2",
        _SOME | {"layer_types": ["full_attention", "sliding_attention"], "num_hidden_layers": 2},
    ),
    "windows and capped scores": ("gemma2", {}),
    "windows and two rotary bases": ("gemma3_text", {}),
    "windows, sinks and experts": ("gpt_oss", {}),
    "long rope": ("phi3", {"rope_parameters": _LONG_ROPE, "max_position_embeddings": 131072}),
    "keys wider than values": ("deepseek_v3", {}),
}
"""Those that every engine and every packing takes."""

RECURRENT: dict[str, tuple[str, dict[str, Any]]] = {
    "linear attention": ("qwen3_next", {}),
    "convolutions": ("lfm2", {}),
    "a state space": ("mamba", {}),
}
"""Those whose layers carry a state from token to token."""

OWN_ATTENTION: dict[str, tuple[str, dict[str, Any]]] = {
    "biases by place": ("bloom", {}),
    "its own windows": ("gpt_neo", {}),
    "a temperature by place": ("llama4_text", {}),
}
"""Those that count tokens by their place in a row, whatever their position."""


def config_of(kind: str) -> PretrainedConfig:
    """The config of a small model of a kind."""
    model_type, settings = (WINDOWED | RECURRENT | OWN_ATTENTION)[kind]
    return likeness(AutoConfig.for_model(model_type, **settings))


def backbone_of(kind: str) -> PreTrainedModel:
    """A small model of a kind."""
    with torch.random.fork_rng():
        return twin(config_of(kind))


def folder_of(kind: str, folder: Path) -> str:
    """The name of a new folder with a small causal LM of a kind and ``tiny_tokenizer``."""
    lm_of(kind).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


def lm_of(kind: str) -> PreTrainedModel:
    """The same with an LM head of its own, for the words of ``tiny_tokenizer``; one that is the embedding would repeat
    the last word.
    """
    words = {"vocab_size": len(tiny_tokenizer()), "tie_word_embeddings": False}
    with torch.random.fork_rng():
        return twin(likeness(config_of(kind), **words), kind=AutoModelForCausalLM)
