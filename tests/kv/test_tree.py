import torch
from hypothesis import given
from hypothesis import strategies as st

from prmkit.kv.tree import KVNode, KVTree

BYTES = 2 * 4
"""Of a token, in trees of one layer, one head and head size 1."""


def grow(tree: KVTree, *ids: int) -> KVNode:
    """Put a sequence into the tree; the key of a token is its id, and its value its position."""
    tip = tree.path(ids)
    for node in tip.lineage():
        if node.kv_L2HTD is None:
            keys = torch.tensor(node.ids).float()
            tree.fill(node, torch.stack([keys, node.start + torch.arange(len(keys))])[None, :, None, :, None])
    return tip


def keys(node: KVNode) -> list[int]:
    return [int(key) for one in node.lineage() for key in one.kv_L2HTD[0, 0, 0, :, 0].tolist()]  # type: ignore[index]


def test_a_shared_prefix_is_one_node_and_a_sequence_ends_at_a_node() -> None:
    tree = KVTree(10**6)
    long, fork, short = grow(tree, 1, 2, 3, 4), grow(tree, 1, 2, 5), grow(tree, 1)
    assert [node.ids for node in long.lineage()] == [(1,), (2,), (3, 4)]
    assert [node.ids for node in fork.lineage()] == [(1,), (2,), (5,)]
    assert short is long.lineage()[0]
    assert tree.bytes == 5 * BYTES


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=12))
def test_every_sequence_reads_its_own_keys_and_each_prefix_stands_once(sequences: list[list[int]]) -> None:
    tree = KVTree(10**6)
    tips = [grow(tree, *ids) for ids in sequences]
    for ids, tip in zip(sequences, tips, strict=True):
        assert keys(tip) == ids
        assert tip.end == len(ids)
    prefixes = {tuple(ids[:length]) for ids in sequences for length in range(1, len(ids) + 1)}
    assert tree.bytes == len(prefixes) * BYTES


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=12),
    st.integers(0, 20),
    st.sets(st.integers(0, 11)),
)
def test_what_is_held_stays_whole_and_all_else_fits_the_limit(
    sequences: list[list[int]], limit: int, held: set[int]
) -> None:
    tree = KVTree(limit * BYTES)
    tips = []
    for index, ids in enumerate(sequences):
        tips.append((ids, grow(tree, *ids)))
        if index in held:
            tree.hold(tips[-1][1])
        tree.evict()
    kept = [tip for index, tip in enumerate(tips) if index in held]
    assert all(keys(tip) == ids for ids, tip in kept)
    needed = {tuple(ids[:length]) for ids, _ in kept for length in range(1, len(ids) + 1)}
    assert tree.bytes <= max(limit, len(needed)) * BYTES
    for _, tip in kept:
        tree.release(tip)
    assert tree.bytes <= limit * BYTES
    assert tree.bytes == sum(len(node.ids) for node in tree) * BYTES


def test_the_longest_unused_goes_first() -> None:
    tree = KVTree(4 * BYTES)
    grow(tree, 1, 1)
    grow(tree, 2, 2)
    tree.path((1, 1))  # used again
    grow(tree, 3, 3)
    assert tree.evict()
    assert {node.ids for node in tree} == {(1, 1), (3, 3)}


def test_the_holder_of_a_path_keeps_it_when_it_is_parted() -> None:
    tree = KVTree(0)
    tip = grow(tree, 1, 2, 3)
    tree.hold(tip)
    grow(tree, 1, 9)
    tree.evict()
    assert keys(tip) == [1, 2, 3]
    assert tree.bytes == 3 * BYTES


def test_hidden_states_go_with_their_half() -> None:
    tree = KVTree(10**6)
    tip = grow(tree, 1, 2, 3)
    tip.hidden = {0: torch.tensor([10.0]), 2: torch.tensor([12.0])}
    upper = tree.path((1, 2))
    assert set(upper.hidden) == {0}
    assert set(tip.hidden) == {2}


def test_nodes_of_a_failed_pass_are_forgotten() -> None:
    tree = KVTree(10**6)
    grow(tree, 1, 2)
    tree.path((1, 2, 3))
    tree.path((1, 5, 6, 7))
    tree.forget_missing()
    assert {node.ids for node in tree} == {(1,), (2,)}
