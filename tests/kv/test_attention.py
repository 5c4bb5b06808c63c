from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from prmkit.kv.attention import _grouped_attention

ROWS, KV_HEADS, GROUPS, KEYS, SIZE = 2, 2, 3, 9, 8


def by_hand(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float, softcap: float | None, sinks: Tensor | None
) -> Tensor:
    """One query head after another."""
    out = torch.empty(*query.shape[:3], value.shape[-1])
    for row in range(ROWS):
        for head in range(KV_HEADS * GROUPS):
            scores_QK = query[row, head] @ key[row, head // GROUPS].T * scaling
            if softcap is not None:
                scores_QK = softcap * torch.tanh(scores_QK / softcap)
            scores_QK[~mask[row, 0]] = -torch.inf
            if sinks is not None:
                scores_QK = torch.cat([scores_QK, sinks[head].expand(len(scores_QK), 1)], dim=1)
            out[row, head] = scores_QK.softmax(dim=-1)[:, :KEYS] @ value[row, head // GROUPS]
    return out.transpose(1, 2)


@pytest.mark.parametrize("new", [1, 4])
@pytest.mark.parametrize("softcap", [None, 1.5])
@pytest.mark.parametrize("sinks", [False, True])
@pytest.mark.parametrize("width", [SIZE, SIZE - 3])
def test_grouped_attention_is_attention(new: int, softcap: float | None, sinks: bool, width: int) -> None:
    torch.manual_seed(0)
    query = 2 * torch.randn(ROWS, KV_HEADS * GROUPS, new, SIZE)
    key, value = torch.randn(ROWS, KV_HEADS, KEYS, SIZE), torch.randn(ROWS, KV_HEADS, KEYS, width)
    past = torch.tensor([KEYS - new, 2])
    mask = torch.arange(KEYS) <= past[:, None, None, None] + torch.arange(new)[:, None]
    s_aux = torch.randn(KV_HEADS * GROUPS) if sinks else None
    found, _ = _grouped_attention(
        SimpleNamespace(num_key_value_groups=GROUPS),  # type: ignore[arg-type]
        query,
        key,
        value,
        mask,
        scaling=0.5,
        softcap=softcap,
        s_aux=s_aux,
    )
    torch.testing.assert_close(found, by_hand(query, key, value, mask, 0.5, softcap, s_aux))
