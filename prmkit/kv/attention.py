"""Attention of a few new tokens to a long past, for models that leave it to transformers' interface.

Shapes: B rows, H key-value heads, G query heads for each of them, N new tokens, Q = G N, K tokens that are attended to.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from prmkit.kv.rows import by_products
from prmkit.models.layout import register_mask

GROUPED = "prmkit_grouped"
"""Its name at transformers."""


def _grouped_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention in which the query heads of one key-value head stand in one matrix.

    transformers copies each key-value head G times in every layer and step instead, which for a long past is most of
    the work of a decoding step.

    Args:
        softcap: bounds the scores by a tanh (Gemma 2).
        s_aux: for each query head a score of attending to nothing (gpt-oss).
    """
    odd = softcap is not None or s_aux is not None
    if not odd and (attention_mask is None or attention_mask.shape[1] != 1):
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    rows, heads, new, size = query.shape
    groups = heads // key.shape[1]
    query_BHQD = query.reshape(rows, key.shape[1], groups * new, size)
    assert attention_mask is not None  # see _plain_mask
    mask_B1NK = attention_mask.expand(rows, 1, new, -1)
    if odd or by_products(query.device, new):
        scores_BHQK = (query_BHQD * (size**-0.5 if scaling is None else scaling)) @ key.transpose(2, 3)
        if softcap is not None:
            scores_BHQK.div_(softcap).tanh_().mul_(softcap)
        scores_BHQK.masked_fill_(~_grouped(mask_B1NK, groups), -torch.inf)
        if s_aux is not None:
            sinks_1HQ1 = s_aux.view(1, -1, groups, 1).expand(-1, -1, -1, new).flatten(2)[..., None]
            scores_BHQK = torch.cat([scores_BHQK, sinks_1HQ1.to(scores_BHQK).expand(rows, -1, -1, -1)], dim=-1)
        weights_BHQK = scores_BHQK.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
        out = weights_BHQK[..., : key.shape[2]] @ value
    else:
        out = scaled_dot_product_attention(query_BHQD, key, value, attn_mask=_grouped(mask_B1NK, groups), scale=scaling)
    return out.reshape(rows, heads, new, value.shape[-1]).transpose(1, 2).contiguous(), None


def _grouped(mask_B1NK: Tensor, groups: int) -> Tensor:
    """The mask of G N queries; one row of a single new token serves all heads."""
    return mask_B1NK.repeat(1, 1, groups, 1) if groups > 1 and mask_B1NK.shape[2] > 1 else mask_B1NK


def _plain_mask(**asked: Any) -> Tensor | None:
    return sdpa_mask(**asked | {"allow_is_causal_skip": False})


AttentionInterface.register(GROUPED, _grouped_attention)
register_mask(GROUPED, _plain_mask)
