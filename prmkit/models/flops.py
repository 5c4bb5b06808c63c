"""Floating-point operations of a transformer's forward pass, counted from its weights and its attention.

Norms, activations and embeddings are left out: they are below 1 % of the sum at any size that matters.
"""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from transformers import AutoModel, PretrainedConfig, PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardFlops:
    """What a forward pass costs, in floating-point operations (a multiplication and an addition are two).

    ``per_token`` is that of the decoder's linear maps; ``per_pair`` that of attention for a token and one token that it
    attends to, over all layers; ``per_read`` that of the head at one position.

    Source: Kaplan et al. 2020, arXiv 2001.08361, section 2.1 (2 N for a token, and the context-dependent term).
    """

    per_token: float
    per_pair: float
    per_read: float = 0.0

    def of(self, tokens: int, *, before: int = 0, read: int = 0) -> float:
        """The operations of computing ``tokens`` after ``before`` cached ones, with the head at ``read`` positions."""
        pairs = tokens * before + tokens * (tokens + 1) / 2
        return tokens * self.per_token + pairs * self.per_pair + read * self.per_read


def parameters(config: PretrainedConfig) -> int:
    """The parameters of the backbone that a config means, embeddings included."""
    return sum(parameter.numel() for parameter in cast(nn.Module, skeleton(config)).parameters())


def skeleton(config: PretrainedConfig) -> PreTrainedModel:
    """The backbone that a config means, without memory for its weights."""
    with torch.device("meta"):
        return cast(PreTrainedModel, AutoModel.from_config(config))


def forward_flops(model: PreTrainedModel | PretrainedConfig, head: nn.Module | None = None) -> ForwardFlops:
    """The cost of a model, or of one that was made from this config; weights need not be in memory.

    Args:
        model: a causal LM, a backbone, or a config (which means its backbone).
        head: what is read beside the model; by default a causal LM's own LM head.
    """
    if isinstance(model, PretrainedConfig):
        model = skeleton(model)
    lm_head = cast(Any, model).get_output_embeddings()
    reads = head if head is not None else lm_head
    decoder = [module for module in cast(nn.Module, model).modules() if module is not lm_head]
    config = model.config
    heads = getattr(config, "num_attention_heads", None) or 0  # a recurrent model has none, and computes no pairs
    head_dim = _head_size(config) or config.hidden_size // max(heads, 1)
    return ForwardFlops(
        per_token=2.0 * _weights(decoder),
        per_pair=4.0 * config.num_hidden_layers * heads * head_dim,
        per_read=2.0 * _weights(list(reads.modules())) if reads is not None else 0.0,
    )


def _head_size(config: PretrainedConfig) -> int | None:
    try:
        size: int | None = getattr(config, "head_dim", None)
    except RuntimeError:  # heads of several sizes (Gemma 4)
        return None
    return size


def _weights(modules: list[nn.Module]) -> int:
    # By the widths: a weight in 4 bits is stored in another shape.
    return sum(module.in_features * module.out_features for module in modules if isinstance(module, nn.Linear))
