"""GGUF files of models made in a test, written as llama.cpp's converter writes them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from tests.tiny import tiny_bpe_tokenizer

CHAT = "{% for message in messages %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}"

Change = Callable[[gguf.GGUFWriter], None]


def tiny_config(kind: str = "llama", **options: Any) -> PretrainedConfig:
    """Two layers whose heads, widths and base of positions are no defaults."""
    shape = {
        "vocab_size": 320,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "intermediate_size": 96,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-4,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0},
    }
    return AutoConfig.for_model(kind, **shape | options)


def tiny_model(config: PretrainedConfig) -> PreTrainedModel:
    """A random causal LM. No vector is all zeros or ones, so that none can be forgotten."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config).eval()
        with torch.no_grad():
            for value in model.parameters():
                value.add_(torch.randn_like(value), alpha=0.1)
    return model


def write_gguf(
    path: Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    without: Sequence[str] = (),
    change: Change | None = None,
    **told: Any,
) -> Path:
    """Write a model and its tokenizer.

    Args:
        kind: how matrices are stored.
        without: tensors, and keys, that are left out.
        change: is called with the writer before it writes.
        told: keys by their names after the architecture, with ``__`` for dots, which take the place of what is true.
    """
    config = model.config
    writer = gguf.GGUFWriter(None, config.model_type)
    writer.add_name("a tiny one")
    keys = {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "rope.freq_base": float(config.rope_parameters["rope_theta"]),
        "rope.dimension_count": 16,
        "attention.key_length": 16,
    }
    for key, value in (keys | {key.replace("__", "."): value for key, value in told.items()}).items():
        if key not in without:
            add(writer, f"{config.model_type}.{key}", value)
    add_tokenizer(writer, tokenizer or tiny_bpe_tokenizer(), without)
    names = gguf.get_tensor_name_map(arch(config.model_type), config.num_hidden_layers)
    for name, value in stored(model).items():
        place = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert place is not None, name
        if place not in without:
            add_tensor(writer, place, value, kind if value.ndim == 2 else gguf.GGMLQuantizationType.F32)
    if change is not None:
        change(writer)
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def arch(name: str) -> gguf.MODEL_ARCH:
    return next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == name)


def stored(model: PreTrainedModel) -> dict[str, Tensor]:
    """The tensors as a file has them: Llama's rotated pairs lie side by side, a shared head is left out."""
    config, weights = model.config, dict(model.named_parameters())
    if config.model_type == "llama":
        for name, value in weights.items():
            heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(
                name.split(".")[-2]
            )
            if heads:
                halves_HTDC = value.detach().reshape(heads, 2, -1, value.shape[1])
                weights[name] = halves_HTDC.transpose(1, 2).reshape(value.shape)
    return weights


def add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    kind = {
        bool: writer.add_bool,
        int: writer.add_uint32,
        float: writer.add_float32,
        str: writer.add_string,
        list: writer.add_array,
    }
    kind[type(value)](key, value)


def add_tensor(writer: gguf.GGUFWriter, name: str, value: Tensor, kind: gguf.GGMLQuantizationType) -> None:
    numbers = value.detach().numpy().astype(np.float32)
    writer.add_tensor(name, gguf.quantize(numbers, kind), raw_dtype=kind)


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: PreTrainedTokenizerBase, without: Sequence[str] = ()) -> None:
    words = [word for word, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    keys: dict[str, Any] = {
        "model": "gpt2",
        "pre": "gpt-2",
        "tokens": words,
        "token_type": [3 if word in tokenizer.all_special_tokens else 1 for word in words],
        "merges": [" ".join(pair) for pair in merges],
        "eos_token_id": tokenizer.eos_token_id,
        "padding_token_id": tokenizer.pad_token_id,
    }
    for key, value in keys.items():
        if key not in without:
            add(writer, f"tokenizer.ggml.{key}", value)
    writer.add_chat_template(CHAT)


def write_other(path: Path, architecture: str, *, tensors: bool = True) -> Path:
    """Write a file of any architecture, with a vocabulary and a tensor of no use, or none."""
    writer = gguf.GGUFWriter(None, architecture)
    writer.add_block_count(0)
    writer.add_token_list(["a", "b", "ab"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(1)
    if tensors:
        add_tensor(writer, "t", torch.ones(4), gguf.GGMLQuantizationType.F32)
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
