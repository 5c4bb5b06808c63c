"""Lanes that are decoded together: they join at any step, part where their rows differ, and leave when those end.

Shapes: B lanes, V vocabulary, E hidden size.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from prmkit.generate.draw import draw_tokens
from prmkit.generate.head import Head
from prmkit.generate.lanes import Lane
from prmkit.generate.request import ActiveRequest
from prmkit.kv.reader import out_of_memory, place
from prmkit.kv.rows import KVRows, advance, token_bytes
from prmkit.kv.tree import KVNode, KVTree

_GRAIN = 64
"""A row's room grows by at least so many tokens."""

_MARGIN = 1e-4
"""In float32 what stands beside a row moves its logits by some 1e-6."""


class Decoder:
    """The lanes in flight of one causal LM, and their key-values.

    Args:
        backbone: what ``prepared`` returned.
        head: its LM head.
    """

    def __init__(self, backbone: PreTrainedModel, head: Head) -> None:
        self.backbone, self.head = backbone, head
        self.lanes: list[Lane] = []
        self._kv: KVRows | None = None
        self._asked = (0, 0)
        self._untouched_is_free = backbone.device.type == "cpu"  # see KVRows
        self._margin = _MARGIN if backbone.dtype == torch.float32 else 0.0

    @property
    def bytes(self) -> int:
        """Memory of the key-values of lanes."""
        if self._kv is None:
            return 0
        rows, length = self._asked if self._untouched_is_free else self._kv.room
        return rows * length * token_bytes(self.backbone)

    def join(self, lane: Lane, node: KVNode) -> None:
        """Let a lane take part from the next step on; ``node`` ends the path of its past."""
        kv = self.reserve(len(self.lanes) + 1, lane.past + 1)
        place(kv, len(self.lanes), node.lineage(), lane.past)
        self.lanes.append(lane)

    def step(self) -> list[list[int]]:
        """Compute every lane's last token and draw the next one of each of its rows. If it raises, nothing has changed.

        Raises:
            RunError: the model gave NaN.
        """
        pasts = [lane.past for lane in self.lanes]
        kv = self.reserve(len(self.lanes), max(pasts) + 1)
        ids_B1 = torch.tensor([[lane.last] for lane in self.lanes], device=self.backbone.device)
        return self._draw(self.head(advance(self.backbone, kv, ids_B1, pasts)[:, 0]))

    def _draw(self, logits_BV: Tensor) -> list[list[int]]:
        """The next token of each row.

        Where another token comes so close that rounding may decide, a second look does: the row's whole text computed
        alone, which gives the same whatever stands beside it.
        """
        owners = [index for index, lane in enumerate(self.lanes) for _ in lane.rows]
        draws = [row.draws for lane in self.lanes for row in lane.rows]
        positions = [len(lane.drawn) + row.request.asked.drawn for lane in self.lanes for row in lane.rows]
        tokens, close = draw_tokens(logits_BV, draws, positions, margin=self._margin, lanes=owners)
        looked: list[tuple[ActiveRequest, int]] = []
        for owner, turned in itertools.groupby(close, key=owners.__getitem__):
            lane, again = self.lanes[owner], list(turned)
            alone_1V = self.head(self._alone(lane))
            looks, _ = draw_tokens(
                alone_1V.expand(len(again), -1),
                [draws[row] for row in again],
                [positions[row] for row in again],
                margin=0.0,
            )
            for row, token in zip(again, looks, strict=True):
                tokens[row] = token
            looked += (
                (request, lane.past + 1) for request in {lane.rows[row - owners.index(owner)].request for row in again}
            )
        for request, length in looked:  # only now, when nothing can fail any more
            request.second_looks.append(length)
        drawn = iter(tokens)
        return [list(itertools.islice(drawn, len(lane.rows))) for lane in self.lanes]

    def _alone(self, lane: Lane) -> Tensor:
        """The hidden state of a lane's last token, its whole text computed with nothing beside it."""
        ids_1N = torch.tensor([lane.ids], device=self.backbone.device)
        return advance(self.backbone, KVRows(self.backbone, 1, ids_1N.shape[1]), ids_1N, [0])[:, -1]

    def leave(self, index: int) -> None:
        """Take a lane out; the last one moves into its place."""
        assert self._kv is not None
        lane, last = self.lanes[index], self.lanes.pop()
        if last is not lane:
            self.lanes[index] = last
            self._kv.move(len(self.lanes), index, last.past)

    def fork(self, index: int, lane: Lane, *, coming: int = 1) -> None:
        """Let a part of the lane at ``index`` go on beside it; ``coming`` lanes, with this one, do so at this step."""
        # Room for them all: what grows is copied.
        kv = self.reserve(len(self.lanes) + coming, lane.past)
        kv.move(index, len(self.lanes), lane.past)
        self.lanes.append(lane)

    def keep(self, index: int, ids: Sequence[int], tree: KVTree) -> None:
        """Put what was computed of a lane, which is ``ids``, into ``tree``."""
        assert self._kv is not None
        try:
            for node in tree.path(ids).lineage():
                if node.kv_L2HTD is None:
                    tree.fill(node, self._kv.take(index, node.start, node.end))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            tree.forget_missing()  # then it is computed again, should it be asked for

    def clear(self) -> list[Lane]:
        """Take all lanes out, free their memory and return them."""
        lanes, self.lanes, self._kv, self._asked = self.lanes, [], None, (0, 0)
        return lanes

    def reserve(self, lanes: int, length: int) -> KVRows:
        """The buffer, grown where it is too small: by a share of itself, so that it is not copied often."""
        rows, room = self._kv.room if self._kv is not None else (0, 0)
        if self._kv is None or lanes > rows or length > room:
            rows = _grown(rows, lanes, 1.0 if self._untouched_is_free else 0.25)
            self._kv = KVRows(self.backbone, rows, _grown(room, length, 0.25, _GRAIN), self._known())
        self._asked = max(lanes, self._asked[0]), max(length, self._asked[1])
        return self._kv

    def _known(self) -> Tensor | None:
        """The key-values of the lanes."""
        longest = max((lane.past for lane in self.lanes), default=0)
        return None if self._kv is None else self._kv.kv_L2RHTD[:, :, : len(self.lanes), :, :longest]


def _grown(have: int, asked: int, share: float, least: int = 0) -> int:
    return have if asked <= have else max(asked, have + max(least, int(share * have)))
