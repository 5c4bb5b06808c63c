"""Forward passes in which tokens do not stand where transformers looks for them.

transformers makes the attention mask of each kind of layer (full, sliding window, chunks) from a function that says
which position attends to which, and takes a token's place in its row for its position. Where several texts share a row,
or a row goes on behind cached tokens, that is wrong. Here the same functions are asked about the positions that tokens
really have.

Shapes: B rows, Q tokens that attend, K tokens that are attended to, T tokens of a packed row.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask
from transformers import AttentionMaskInterface
from transformers.masking_utils import causal_mask_function, eager_mask, flex_attention_mask, sdpa_mask

from prmkit.packing.sequence import Packing


class Layout(NamedTuple):
    """The positions of the tokens that attend and of those that are attended to, (B, Q) and (B or 1, K).

    In packed rows, token i sees token j only where ``j <= i < until[j]``, too; ``until_BT`` is None where a row is one
    text.
    """

    queries_BQ: Tensor
    keys_BK: Tensor
    until_BT: Tensor | None = None


_LAYOUT: ContextVar[Layout | None] = ContextVar("layout", default=None)


@contextmanager
def laid_out(layout: Layout) -> Iterator[None]:
    """Within, models of transformers attend by this layout, whatever padding mask they are given.

    It holds for the thread, and for masks that a model leaves to transformers; whether one does is for its numbers to
    say (see ``gate.py``).
    """
    token = _LAYOUT.set(layout)
    try:
        yield
    finally:
        _LAYOUT.reset(token)


def packed_layout(packing: Packing) -> Layout:
    """The layout of packed rows."""
    return Layout(packing.positions_BT, packing.positions_BT, packing.until_BT)


def dense_mask(layout: Layout, attends: Callable[..., Any] = causal_mask_function) -> Tensor:
    """Who attends to whom as a boolean mask, (B, 1, Q, K).

    Args:
        layout: where the tokens stand.
        attends: of (row, head, position that attends, position that is attended to).
    """
    queries_B1Q1, keys_B11K = layout.queries_BQ[:, None, :, None], layout.keys_BK[:, None, None, :]
    row_B111 = torch.arange(len(queries_B1Q1), device=queries_B1Q1.device)[:, None, None, None]
    mask_B1QK = None
    if layout.until_BT is not None:
        token_T = torch.arange(layout.until_BT.shape[1], device=layout.until_BT.device)
        sees_BTT = (token_T[:, None] >= token_T) & (token_T[:, None] < layout.until_BT[:, None, :])
        mask_B1QK = sees_BTT[:, None]
    if mask_B1QK is None or attends is not causal_mask_function:  # packed rows see nothing that comes later
        kind_B1QK: Tensor = attends(row_B111, torch.zeros_like(row_B111), queries_B1Q1, keys_B11K)
        mask_B1QK = kind_B1QK if mask_B1QK is None else mask_B1QK & kind_B1QK
    return mask_B1QK


def block_mask(layout: Layout, attends: Callable[..., Any] = causal_mask_function) -> BlockMask:
    """The same of packed rows for FlexAttention, which skips the blocks that nothing attends to."""
    positions_BT, until_BT = layout.queries_BQ, layout.until_BT
    assert until_BT is not None
    batch, tokens = until_BT.shape

    def sees(b: Tensor, head: Tensor, i: Tensor, j: Tensor) -> Any:
        return (j <= i) & (i < until_BT[b, j])

    def sees_by_kind(b: Tensor, head: Tensor, i: Tensor, j: Tensor) -> Any:
        return sees(b, head, i, j) & attends(b, head, positions_BT[b, i], positions_BT[b, j])

    mask = sees if attends is causal_mask_function else sees_by_kind
    return create_block_mask(mask, batch, None, tokens, tokens, device=until_BT.device)


def _dense(layout: Layout, **asked: Any) -> Tensor:
    return dense_mask(layout, asked["mask_function"])


def _additive(layout: Layout, **asked: Any) -> Tensor:
    # What a model adds to its scores by itself must be numbers: a boolean mask would add 1 to what is to be seen.
    mask_B1QK = _dense(layout, **asked)
    dtype = asked["dtype"]
    return torch.zeros_like(mask_B1QK, dtype=dtype).masked_fill_(~mask_B1QK, torch.finfo(dtype).min)


def _blocks(layout: Layout, **asked: Any) -> BlockMask:
    return block_mask(layout, asked["mask_function"])


def register_mask(name: str, plain: Callable[..., Any], laid: Callable[..., Any] = _dense) -> None:
    """Let an attention implementation take its masks from the layout, where there is one.

    Args:
        name: of the implementation, as transformers knows it.
        plain: what makes its masks where there is no layout.
        laid: what makes them of a layout.
    """

    def mask(*args: Any, **asked: Any) -> Any:
        layout = _LAYOUT.get()
        return plain(*args, **asked) if layout is None else laid(layout, **asked)

    AttentionMaskInterface.register(name, mask)


register_mask("sdpa", sdpa_mask)
register_mask("eager", eager_mask, _additive)
register_mask("flex_attention", flex_attention_mask, _blocks)
