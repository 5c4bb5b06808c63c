"""Tiny random models of every causal architecture that transformers knows, by one rule and a few exceptions.

    config = tiny_config("mistral")               # two layers, width 64, a window of 8
    model = tiny_lm("mistral", seed=1)            # a causal LM whose parts all count
    name = tiny_folder("mistral", tmp_path / "m")   # with the tests' tokenizer

``ARCHITECTURES`` are the model types that can be made, ``VARIANTS`` settings of some that deserve a name of their own,
and ``LEFT_OUT`` the other model types with what they are instead.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from prmkit.models.twin import CONTEXT, ORIGINAL, WINDOW, likeness, twin
from tests.tiny import tiny_tokenizer

_ROPE = {"rope_type": "default", "rope_theta": 10000.0}


def tiny_config(name: str) -> PretrainedConfig:
    """The config of a model type, or of a variant, in which each kind of layer that it has occurs."""
    model_type, changes = VARIANTS.get(name, (name, {}))
    return likeness(AutoConfig.for_model(model_type), **changes)


_WINDOW = {
    "use_sliding_window": True,
    "sliding_window": WINDOW,
    "layer_types": ["full_attention", "sliding_attention"],
}

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama, tied embeddings": ("llama", {"tie_word_embeddings": True}),
    "llama, llama3 rope": (
        "llama",
        {
            "rope_parameters": _ROPE
            | {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": ORIGINAL,
            }
        },
    ),
    "llama, yarn": (
        "llama",
        {
            "rope_parameters": _ROPE
            | {"rope_type": "yarn", "factor": 16.0, "original_max_position_embeddings": ORIGINAL}
        },
    ),
    "llama, dynamic rope": (
        "llama",
        {"rope_parameters": _ROPE | {"rope_type": "dynamic", "factor": 2.0}},
    ),
    "mistral, no window": ("mistral", {"sliding_window": None}),
    "mistral, window of the context": ("mistral", {"sliding_window": CONTEXT}),
    "mixtral, window": ("mixtral", {"sliding_window": WINDOW}),
    "phi3, window": ("phi3", {"sliding_window": WINDOW}),
    "phi3, long rope": (
        "phi3",
        {
            "original_max_position_embeddings": ORIGINAL,
            "rope_parameters": _ROPE
            | {
                "rope_type": "longrope",
                "short_factor": [1.0] * 8,
                "long_factor": [1.0, 1.5, 2.0, 3.0, 4.0, 8.0, 16.0, 32.0],
                "original_max_position_embeddings": ORIGINAL,
            },
        },
    ),
    "qwen2, tied embeddings": ("qwen2", {"tie_word_embeddings": True}),
    "qwen2, window": ("qwen2", _WINDOW | {"max_window_layers": 1}),
    "qwen3, window": ("qwen3", _WINDOW | {"max_window_layers": 1}),
    "smollm3, window": ("smollm3", _WINDOW),
    "starcoder2, window": ("starcoder2", {"sliding_window": WINDOW}),
}
"""Settings of an architecture that deserve a row of their own: its model type, and what differs."""

_ENCODERS = (
    "bert bert-generation big_bird camembert data2vec-text electra ernie megatron-bert rembert roberta "
    "roberta-prelayernorm roc_bert roformer xlm xlm-roberta xlm-roberta-xl xlnet xmod"
)

_ENCODER_DECODERS = (
    "bart bigbird_pegasus blenderbot blenderbot-small marian mbart musicgen musicgen_melody mvp pegasus plbart "
    "prophetnet trocr whisper"
)

_WRAPPED = "reads more than text; its language model is {}"

LEFT_OUT: dict[str, str] = {
    **dict.fromkeys(_ENCODERS.split(), "an encoder, which reads both ways"),
    **dict.fromkeys(_ENCODER_DECODERS.split(), "an encoder with a decoder"),
    "emu3": _WRAPPED.format("emu3_text_model"),
    "fuyu": _WRAPPED.format("persimmon"),
    "gemma3": _WRAPPED.format("gemma3_text"),
    "gemma3n": _WRAPPED.format("gemma3n_text"),
    "gemma4": _WRAPPED.format("gemma4_text"),
    "gemma4_unified": _WRAPPED.format("gemma4_unified_text"),
    "got_ocr2": _WRAPPED.format("qwen2"),
    "llama4": _WRAPPED.format("llama4_text"),
    "mllama": _WRAPPED.format("mllama_text_model"),
    "qwen3_5": _WRAPPED.format("qwen3_5_text"),
    "qwen3_5_moe": _WRAPPED.format("qwen3_5_moe_text"),
    "qwen4_exp": _WRAPPED.format("qwen4_exp_text"),
    "git": "reads images before the text",
    "moshi": "reads and writes speech",
    "phi4_multimodal": "reads images and speech, in one model",
    "gemma4_assistant": "drafts for another model, whose key-values it reads",
    "gemma4_unified_assistant": "drafts for another model, whose key-values it reads",
    "blt": "reads bytes, in patches that a second model cuts",
    "cpmant": "reads the text both ways, and writes behind it",
    "reformer": "attends by hashes that are drawn anew each time",
}
"""The other names of transformers' table of causal models, and what they are instead."""

ARCHITECTURES = sorted(set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - set(LEFT_OUT))


WINDOWED = ("mistral", "qwen2, window", "gemma2", "gemma3_text", "gpt_oss", "phi3, long rope", "deepseek_v3")
"""Windows in all layers or in some, with capped scores, two rotary bases, or sinks and experts; a stretched context;
keys that are wider than values. Every engine and every packing takes them."""

RECURRENT = ("qwen3_next", "lfm2", "mamba")
"""Layers that carry a state from token to token."""

BY_PLACE = ("bloom", "gpt_neo", "llama4_text")
"""Layers that go by the place of a token in its row, whatever its position."""


FEW = ("mistral", "gemma2", "phi3, long rope", "lfm2")
"""Those of them that the fast tests of a contract take."""


def few_first(*names: str) -> list[Any]:
    """Names as parameters of a test, of which only a few are fast."""
    return [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in names]


def tiny_lm(name: str, seed: int = 0, **changes: Any) -> PreTrainedModel:
    """A causal LM in float32 and evaluation mode. Its weights are so large that what a layer does or sees shows in its
    output.

    Args:
        name: of a model type or a variant.
        seed: of the weights.
        changes: to its config.
    """
    with torch.random.fork_rng():
        return twin(likeness(tiny_config(name), **changes), seed=seed, kind=AutoModelForCausalLM)


def tiny_layers(name: str, seed: int = 0) -> PreTrainedModel:
    """The same without an LM head."""
    with torch.random.fork_rng():
        return twin(tiny_config(name), seed=seed)


def tiny_speaker(name: str) -> PreTrainedModel:
    """A causal LM that knows the words of ``tiny_tokenizer`` alone, with an LM head of its own: one that is the
    embedding would repeat the last word.
    """
    return tiny_lm(name, vocab_size=len(tiny_tokenizer()), tie_word_embeddings=False)


def tiny_folder(name: str, folder: Path, seed: int = 0, tokenizer: PreTrainedTokenizerBase | None = None) -> str:
    """The name of a new folder with ``tiny_lm`` and a tokenizer, by default ``tiny_tokenizer``."""
    tiny_lm(name, seed).save_pretrained(folder)
    (tokenizer or tiny_tokenizer()).save_pretrained(folder)
    return str(folder)
