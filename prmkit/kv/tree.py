"""A radix tree of past key-values: a prefix that many sequences share is computed once and kept once.

Shapes: L layers, H key-value heads, T tokens of a node, D head size.

Source: RadixAttention, arXiv 2312.07104, section 3.
"""

import heapq
import itertools
from collections.abc import Iterator, Sequence

from torch import Tensor


class KVNode:
    """A run of tokens that no sequence leaves halfway.

    ``ids`` are its tokens, and ``start`` is the position of the first one. ``kv_L2HTD`` holds their keys and values,
    None until they are computed. ``hidden`` holds the last hidden state at those positions where somebody read it.
    """

    __slots__ = ("children", "hidden", "ids", "kv_L2HTD", "parent", "queued", "start", "used", "users")

    def __init__(self, ids: tuple[int, ...], start: int, parent: "KVNode | None") -> None:
        self.ids, self.start, self.parent = ids, start, parent
        self.children: dict[int, KVNode] = {}
        self.kv_L2HTD: Tensor | None = None
        self.hidden: dict[int, Tensor] = {}
        self.users, self.used, self.queued = 0, 0, False

    @property
    def end(self) -> int:
        """The number of tokens from the root to the end of this node."""
        return self.start + len(self.ids)

    def lineage(self) -> list["KVNode"]:
        """The nodes from the first below the root to this one."""
        nodes: list[KVNode] = []
        node = self
        while node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]


class KVTree:
    """Past key-values by prefix. Whoever needs a path holds its last node; all else may go, the longest unused first.

    Not for several threads at once.

    Args:
        limit: bytes of key-values that are kept; what is held may exceed it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.root = KVNode((), 0, None)
        self._clock = itertools.count(1)
        self._idle: list[tuple[int, int, KVNode]] = []

    def path(self, ids: Sequence[int]) -> KVNode:
        """The node that ends where ``ids`` end; what is not in the tree is added, without key-values yet."""
        ids, node, begin, now = tuple(ids), self.root, 0, next(self._clock)
        while begin < len(ids):
            child = node.children.get(ids[begin])
            if child is None:
                child = node.children[ids[begin]] = KVNode(ids[begin:], begin, node)
            elif (shared := shared_length(child.ids, ids[begin : begin + len(child.ids)])) < len(child.ids):
                child = self._split(child, shared)
            node, begin = child, child.end
            node.used = now
        return node

    def fill(self, node: KVNode, kv_L2HTD: Tensor) -> None:
        """Give a node its key-values; the tensor must own its memory."""
        node.kv_L2HTD = kv_L2HTD
        self.bytes += kv_L2HTD.nbytes
        self._offer(node)

    def hold(self, node: KVNode) -> None:
        """Keep the path to ``node`` until it is released."""
        node.users += 1

    def release(self, node: KVNode) -> None:
        """Undo one ``hold``, and evict what is above the limit."""
        node.users -= 1
        self._offer(node)
        self.evict()

    def evict(self, limit: int | None = None) -> bool:
        """Drop paths that nobody holds, the longest unused first, until at most ``limit`` bytes are left.

        Returns whether anything was dropped.
        """
        limit, before = self.limit if limit is None else limit, self.bytes
        while self.bytes > limit and self._idle:
            used, _, node = heapq.heappop(self._idle)
            node.queued = False
            if used != node.used:
                self._offer(node)  # used since it was queued
            elif _evictable(node):
                self._remove(node)
        return self.bytes < before

    def forget_missing(self) -> None:
        """Remove the nodes without key-values, such as those of a forward pass that failed."""
        for node in reversed(list(self)):
            if node.kv_L2HTD is None and not node.children:
                self._remove(node)

    def __iter__(self) -> Iterator[KVNode]:
        """All nodes below the root, parents first."""
        waiting = list(self.root.children.values())
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.children.values()

    def _split(self, node: KVNode, at: int) -> KVNode:
        """Part a node in two and return the upper half. The node itself, and who holds it, stays at the lower end."""
        parent = node.parent
        assert parent is not None
        upper = KVNode(node.ids[:at], node.start, parent)
        parent.children[upper.ids[0]] = upper
        node.ids, node.start, node.parent = node.ids[at:], node.start + at, upper
        upper.children[node.ids[0]] = node
        if node.kv_L2HTD is not None:
            # Copies, so that evicting one half frees it.
            upper.kv_L2HTD = node.kv_L2HTD[..., :at, :].clone()
            node.kv_L2HTD = node.kv_L2HTD[..., at:, :].clone()
        upper.hidden = {position: state for position, state in node.hidden.items() if position < node.start}
        node.hidden = {position: state for position, state in node.hidden.items() if position >= node.start}
        return upper

    def _remove(self, node: KVNode) -> None:
        parent = node.parent
        assert parent is not None
        del parent.children[node.ids[0]]
        node.parent = None
        if node.kv_L2HTD is not None:
            self.bytes -= node.kv_L2HTD.nbytes
        self._offer(parent)

    def _offer(self, node: KVNode) -> None:
        if _evictable(node) and not node.queued:
            node.queued = True
            heapq.heappush(self._idle, (node.used, next(self._clock), node))


def _evictable(node: KVNode) -> bool:
    # A parent outlives its children, so holding the last node of a path holds all of it.
    return node.users == 0 and not node.children and node.parent is not None


def shared_length(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many leading tokens are the same."""
    if one == other:
        return len(one)
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
