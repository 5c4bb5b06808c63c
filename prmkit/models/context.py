"""How long a text a model reads, and the rotary embeddings that this decides.

LongRoPE (Phi-3) turns tokens by one set of angles where a text is no longer than the context of the first pre-training,
and by another beyond it. transformers looks at the longest text of each batch: then the score of a short text depends
on its neighbours, and a text that grows past the limit on top of cached keys is neither one nor the other. Servers
(vLLM, llama.cpp) choose once, by the context that they are told, and so does this module.
"""

import sys
from typing import Any, cast

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from prmkit.errors import InputError

_KIND, _SETTLED = "longrope", "settled longrope"

# A kind of its own, which transformers computes alike and does not compute again with every batch.
ROPE_INIT_FUNCTIONS[_SETTLED] = ROPE_INIT_FUNCTIONS[_KIND]


_NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length")


def context_of(config: PretrainedConfig) -> int | None:
    """The longest text in tokens that a model reads; None where its config sets no limit, as with state spaces."""
    found = (getattr(config, name, None) for name in _NAMES)
    return next((int(value) for value in found if isinstance(value, int) and value > 0), None)


def original_context(config: PretrainedConfig) -> int | None:
    """The longest text in tokens that is turned by the angles for short ones; None where all are turned alike."""
    rope = getattr(config, "rope_parameters", None) or {}
    return int(rope["original_max_position_embeddings"]) if rope.get("rope_type") == _KIND else None


def readable(config: PretrainedConfig, length: int | None = None) -> int:
    """The longest text in tokens that a model reads as it reads texts of up to ``length`` tokens (default: any)."""
    context, original = context_of(config) or sys.maxsize, original_context(config)
    return original if original is not None and (length or context) <= original else context


def engine_context(config: PretrainedConfig, asked: int | None, trained: int | None = None) -> int:
    """The context of an engine in tokens.

    Args:
        config: of its model.
        asked: by the recipe; None for all that the model reads.
        trained: the longest text that the model was trained on here, if it was.

    Raises:
        InputError: the model reads less than is asked for.
    """
    context = readable(config, asked or trained)
    if asked is not None and asked > context:
        raise InputError(
            "the engine is asked for a longer context than the model's",
            where="engine.max_model_len",
            got=asked,
            expected=f"at most {context}",
        )
    return asked or context


def settle_rope(model: PreTrainedModel, length: int | None = None) -> int:
    """Turn the tokens of all texts alike from now on, as suits texts of up to ``length`` tokens (default: any).

    Returns:
        The longest text in tokens that may be read so.
    """
    context, original = readable(model.config, length), original_context(model.config)
    if original is None:
        return context
    for module in cast(nn.Module, model).modules():
        if getattr(module, "rope_type", None) in (_KIND, _SETTLED):
            rotary = cast(Any, module)
            with torch.device(rotary.inv_freq.device):
                angles, _ = ROPE_INIT_FUNCTIONS[_KIND](rotary.config, seq_len=min(context, original + 1))
            rotary.register_buffer("inv_freq", angles.to(rotary.inv_freq.device), persistent=False)
            rotary.rope_type = _SETTLED
    return context
