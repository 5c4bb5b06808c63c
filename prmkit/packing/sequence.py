"""Several rows in one sequence, so that no token is padding: each row sees itself alone.

Shapes: B sequences, T tokens.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

from prmkit.packing.rows import TokenRow


class Packing(NamedTuple):
    """How the tokens of packed sequences stand to each other: their positions, and token i attends to token j where
    ``j <= i < until[j]``.
    """

    positions_BT: Tensor
    until_BT: Tensor


def pack(rows: Sequence[TokenRow], budget: int) -> list[TokenRow]:
    """The rows in as few sequences of up to ``budget`` tokens as best-fit-decreasing finds.

    Longest first, a row joins the fullest sequence that has room for it; one longer than the budget stands alone. The
    result does not depend on the order of the rows but among those of equal length.
    """
    sequences: list[list[TokenRow]] = []
    room: list[int] = []
    for row in sorted(rows, key=lambda row: -len(row.ids)):
        fitting = [index for index, left in enumerate(room) if left >= len(row.ids)]
        if fitting:
            best = min(fitting, key=room.__getitem__)
            sequences[best].append(row)
            room[best] -= len(row.ids)
        else:
            sequences.append([row])
            room.append(budget - len(row.ids))
    return [_joined(sequence) for sequence in sequences]


def dense_mask(packing: Packing) -> Tensor:
    """The attention of packed sequences as a boolean mask, (B, 1, T, T): rows attend, columns are attended to."""
    token_T = torch.arange(packing.until_BT.shape[1], device=packing.until_BT.device)
    before_TT = token_T[:, None] >= token_T[None, :]
    return (before_TT & (token_T[:, None] < packing.until_BT[:, None, :]))[:, None]


def block_mask(packing: Packing) -> BlockMask:
    """The same attention for FlexAttention, which skips the blocks that nothing attends to."""
    until_BT = packing.until_BT
    batch, tokens = until_BT.shape

    def attends(b: Tensor, head: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return (j <= i) & (i < until_BT[b, j])

    return create_block_mask(attends, batch, None, tokens, tokens, device=until_BT.device)


def _joined(rows: Sequence[TokenRow]) -> TokenRow:
    if len(rows) == 1:
        return rows[0]
    starts = np.cumsum([0, *(len(row.ids) for row in rows[:-1])]).tolist()
    placed = list(zip(starts, rows, strict=True))
    return TokenRow(
        ids=np.concatenate([row.ids for row in rows]),
        positions=np.concatenate([row.positions for row in rows]),
        until=np.concatenate([row.until + np.int32(start) for start, row in placed]),
        ends=tuple(start + end for start, row in placed for end in row.ends),
        labels=tuple(label for row in rows for label in row.labels),
        weights=tuple(weight for row in rows for weight in row.weights),
        problems=tuple(dict.fromkeys(problem for row in rows for problem in row.problems)),
    )
