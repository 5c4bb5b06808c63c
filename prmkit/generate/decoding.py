"""Rows that are decoded together: they join at any step, and leave at the step that ends them.

Shapes: B rows, V vocabulary, E hidden size.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from prmkit.generate.draw import draw_tokens
from prmkit.generate.request import Row
from prmkit.models.kv_reader import out_of_memory, place
from prmkit.models.kv_rows import KVRows, advance
from prmkit.models.kv_tree import KVNode, KVTree

_GRAIN = 64
"""A row's room grows by at least so many tokens."""

_MARGIN = 1e-4
"""In float32 what stands beside a row moves its logits by some 1e-6."""


class Decoder:
    """The rows in flight of one causal LM, and their key-values.

    Args:
        backbone: what ``prepared`` returned.
        head: its LM head.
    """

    def __init__(self, backbone: PreTrainedModel, head: nn.Module) -> None:
        self.backbone, self.head = backbone, head
        self.rows: list[Row] = []
        self._kv: KVRows | None = None
        self._margin = _MARGIN if backbone.dtype == torch.float32 else 0.0

    @property
    def bytes(self) -> int:
        """Memory of the key-values of rows."""
        return self._kv.kv_L2RHTD.nbytes if self._kv is not None else 0

    def join(self, row: Row, node: KVNode) -> None:
        """Let a row take part from the next step on; ``node`` ends the path that lies before its last token."""
        kv = self.reserve(len(self.rows) + 1, row.past + 1)
        place(kv, len(self.rows), node.lineage(), row.past)
        self.rows.append(row)

    def step(self) -> list[int]:
        """Compute every row's last token and draw its next one. Nothing has changed if it raises.

        Raises:
            RunError: the model gave NaN.
        """
        pasts = [row.past for row in self.rows]
        kv = self.reserve(len(self.rows), max(pasts) + 1)
        ids_B1 = torch.tensor([[row.ids[-1]] for row in self.rows], device=self.backbone.device)
        return self.draw(self.head(advance(self.backbone, kv, ids_B1, pasts)[:, 0]), self.rows)

    def draw(self, logits_BV: Tensor, rows: Sequence[Row]) -> list[int]:
        """The next token of each row.

        Where another token comes so close that rounding may decide, a second look does: the row's whole text computed
        alone, which gives the same whatever stands beside it.
        """
        draws = [row.next_draw() for row in rows]
        tokens, close = draw_tokens(logits_BV, draws, margin=self._margin)
        for index in close:
            ids_1N = torch.tensor([rows[index].all_ids()], device=self.backbone.device)
            alone = KVRows(self.backbone, 1, ids_1N.shape[1])
            hidden_1E = advance(self.backbone, alone, ids_1N, [0])[:, -1]
            tokens[index] = draw_tokens(self.head(hidden_1E), [draws[index]], margin=0.0)[0][0]
            rows[index].request.second_looks.append(ids_1N.shape[1])
        return tokens

    def leave(self, index: int, tree: KVTree | None = None) -> None:
        """Take a row out; the last one moves into its place. Its key-values go into ``tree``."""
        assert self._kv is not None
        row = self.rows[index]
        if tree is not None:
            self._keep(row, index, tree)
        last = self.rows.pop()
        if last is not row:
            self.rows[index] = last
            self._kv.move(len(self.rows), index, last.past + 1)

    def _keep(self, row: Row, index: int, tree: KVTree) -> None:
        assert self._kv is not None
        try:
            for node in tree.path(row.all_ids()[: row.computed]).lineage():
                if node.kv_L2HTD is None:
                    tree.fill(node, self._kv.take(index, node.start, node.end))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            tree.forget_missing()  # then it is computed again, should it be asked for

    def clear(self) -> list[Row]:
        """Take all rows out, free their memory and return them."""
        rows, self.rows, self._kv = self.rows, [], None
        return rows

    def reserve(self, rows: int, length: int) -> KVRows:
        """The buffer, grown where it is too small: by a share of itself, so that it is not copied often."""
        old = self._kv
        have_rows, have_length = old.room if old is not None else (0, 0)
        if old is not None and rows <= have_rows and length <= have_length:
            return old
        wide = have_rows if rows <= have_rows else max(rows, have_rows + have_rows // 4)
        long = have_length if length <= have_length else max(length, have_length + max(_GRAIN, have_length // 4))
        self._kv = KVRows(self.backbone, wide, long)
        if old is not None:
            live = len(self.rows)
            self._kv.kv_L2RHTD[:, :, :live, :, :have_length] = old.kv_L2RHTD[:, :, :live]
        return self._kv
