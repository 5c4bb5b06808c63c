"""Rows and sequences of rows in the plainest way, one tree and one row after another: what the columns must equal."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import Weighting
from prmkit.tree import ROOT, StepTree


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlainRow:
    ids: NDArray[np.int32]
    positions: NDArray[np.int32]
    until: NDArray[np.int32]
    ends: tuple[int, ...]
    labels: tuple[float, ...]
    weights: tuple[float, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeRows:
    """The rows of a tree, and what the length limit cost.

    ``cut`` paths lost steps at their end, ``dropped`` paths became no row since no label was left for them, and
    ``labels_lost`` labels stand beyond the limit.
    """

    rows: tuple[PlainRow, ...]
    cut: int
    dropped: int
    labels_lost: int


def tree_rows(
    tree: StepTree,
    encoder: StepEncoder,
    max_length: int,
    *,
    weighting: Weighting = "once",
    budget: int | None = None,
) -> TreeRows:
    problem_ids = encoder.problem_ids(tree.problem)
    step_ids = [encoder.step_ids(node.text) for node in tree]
    lengths = [len(ids) for ids in step_ids]
    found = _labelled_paths(tree, lengths, max_length - len(problem_ids), weighting)
    groups = _groups(found.paths, lengths, None if budget is None else budget - len(problem_ids))
    rows = tuple(_row(tree, problem_ids, step_ids, found.owned, group) for group in groups)
    read = {node for owned in found.owned for node in owned}
    labelled = sum(node.label is not None for node in tree)
    return TreeRows(rows=rows, cut=found.cut, dropped=found.dropped, labels_lost=labelled - len(read))


Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """The paths of a tree that have labels to teach, in depth-first order, and which nodes each of them teaches."""

    paths: list[Path]
    owned: list[frozenset[int]]
    cut: int
    dropped: int


def _labelled_paths(tree: StepTree, lengths: Sequence[int], room: int, weighting: Weighting) -> _Found:
    paths, owned = [], []
    taken: set[int] = set()
    cut = dropped = 0
    for path in sorted(tuple(tree.path(leaf)) for leaf in tree.leaves()):
        kept = int((np.cumsum([lengths[node] for node in path]) <= room).sum())
        cut += kept < len(path)
        mine = [node for node in path[:kept] if tree.nodes[node].label is not None and node not in taken]
        if not mine:
            dropped += 1
            continue
        if weighting == "once":
            taken.update(mine)
        paths.append(path[: path.index(mine[-1]) + 1])
        owned.append(frozenset(mine))
    return _Found(paths, owned, cut, dropped)


def _groups(paths: Sequence[Path], lengths: Sequence[int], room: int | None) -> Iterator[range]:
    """Neighbouring paths by index, as many together as fit; one at a time where ``room`` is None."""
    start, nodes, used = 0, set[int](), 0
    for index, path in enumerate(paths):
        more = sum(lengths[node] for node in path if node not in nodes)
        if index > start and (room is None or used + more > room):
            yield range(start, index)
            start, nodes, used = index, set(), 0
            more = sum(lengths[node] for node in path)
        nodes.update(path)
        used += more
    if paths:
        yield range(start, len(paths))


def _row(
    tree: StepTree,
    problem_ids: Sequence[int],
    step_ids: Sequence[Sequence[int]],
    owned: Sequence[Collection[int]],
    group: range,
) -> PlainRow:
    """The union of the paths of a group, depth first."""
    teaching = [node for index in group for node in owned[index]]
    nodes = sorted({step for node in teaching for step in tree.path(node)}, key=tree.path)
    ids = list(problem_ids)
    positions = list(range(len(ids)))
    spans: dict[int, tuple[int, int]] = {ROOT: (0, len(ids))}
    for node in nodes:
        depth = positions[spans[tree.nodes[node].parent][1] - 1] + 1
        spans[node] = (len(ids), len(ids) + len(step_ids[node]))
        ids += step_ids[node]
        positions += range(depth, depth + len(step_ids[node]))
    until = np.empty(len(ids), dtype=np.int32)
    last = {ROOT: len(ids)}
    for node in reversed(nodes):  # children before parents: where the last descendant ends
        last.setdefault(node, spans[node][1])
        parent = tree.nodes[node].parent
        last[parent] = max(last.get(parent, 0), last[node])
    for node, (begin, end) in spans.items():
        until[begin:end] = last[node]
    counts = [teaching.count(node) for node in nodes]
    labels = [tree.nodes[node].label for node in nodes]
    return PlainRow(
        ids=np.array(ids, dtype=np.int32),
        positions=np.array(positions, dtype=np.int32),
        until=until,
        ends=tuple(spans[node][1] - 1 for node in nodes),
        labels=tuple(
            float(label.value) if label is not None and count else math.nan
            for label, count in zip(labels, counts, strict=True)
        ),
        weights=tuple(float(count or 1) for count in counts),
        problems=(tree.problem.id,),
    )


def pack(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """The rows of each sequence."""
    sequences: list[list[int]] = []
    room: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        fitting = [index for index, left in enumerate(room) if left >= lengths[row]]
        if fitting:
            best = min(fitting, key=room.__getitem__)
            sequences[best].append(row)
            room[best] -= lengths[row]
        else:
            sequences.append([row])
            room.append(budget - lengths[row])
    return sequences
