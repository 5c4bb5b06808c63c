"""Which steps of a tree form which row: root-to-leaf paths, or neighbouring paths that share one.

A step's label is one judgement, and counts once however many solutions go through the step: otherwise a step would
weigh as much as it has descendants. Weighting by ``rows`` restores just that, for who wants the objective of a trainer
that reads every path on its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from prmkit.packing.format import Weighting
from prmkit.tree import ROOT, StepTree


@dataclass(slots=True)
class LabelledPaths:
    """The paths of a tree that have labels to teach, in depth-first order, and which nodes each of them teaches.

    ``cut`` paths lost steps at their end; ``dropped`` ones have no label left for them.
    """

    paths: list[Sequence[int]] = field(default_factory=list)
    taught: list[list[int]] = field(default_factory=list)
    cut: int = 0
    dropped: int = 0


def labelled_paths(tree: StepTree, lengths: Sequence[int], room: int, weighting: Weighting) -> LabelledPaths:
    """Paths are cut at a step's end to ``room`` tokens, and end with their last supervised step: the backbone is
    causal, so nothing reads what would follow.

    Args:
        tree: a labelled tree.
        lengths: tokens of each step.
        room: tokens that the steps of a path may have.
        weighting: by ``once``, a label is taught by the first path that holds its step.
    """
    found = LabelledPaths()
    taken: set[int] = set()
    for path in _leaf_paths(tree):
        kept = _fitting(path, lengths, room)
        found.cut += kept < len(path)
        taught = [node for node in path[:kept] if tree.nodes[node].label is not None and node not in taken]
        if not taught:
            found.dropped += 1
            continue
        if weighting == "once":
            taken.update(taught)
        found.paths.append(path[: path.index(taught[-1]) + 1])
        found.taught.append(taught)
    return found


def groups(paths: Sequence[Sequence[int]], lengths: Sequence[int], room: int | None) -> Iterator[range]:
    """Neighbouring paths by index, as many together as fit; one at a time where ``room`` is None."""
    if room is None:
        yield from (range(index, index + 1) for index in range(len(paths)))
        return
    start, nodes, used = 0, set[int](), 0
    for index, path in enumerate(paths):
        more = sum(lengths[node] for node in path if node not in nodes)
        if index > start and used + more > room:
            yield range(start, index)
            start, nodes, used = index, set(), 0
            more = sum(lengths[node] for node in path)
        nodes.update(path)
        used += more
    if paths:
        yield range(start, len(paths))


def _fitting(path: Sequence[int], lengths: Sequence[int], room: int) -> int:
    """How many steps of a path, from the first, have no more than ``room`` tokens."""
    for kept, node in enumerate(path):
        room -= lengths[node]
        if room < 0:
            return kept
    return len(path)


def _leaf_paths(tree: StepTree) -> Iterator[Sequence[int]]:
    """The root-to-leaf paths, depth first, older siblings before younger ones."""
    parents = [node.parent for node in tree.nodes]
    if parents[:1] == [ROOT] and all(after == before + 1 for before, after in pairwise(parents)):
        yield range(len(parents))
        return
    children: dict[int, list[int]] = {}
    for node, parent in enumerate(parents):
        children.setdefault(parent, []).append(node)
    path: list[int] = []
    waiting = [(node, 0) for node in reversed(children.get(ROOT, ()))]
    while waiting:
        node, depth = waiting.pop()
        path[depth:] = [node]
        following = children.get(node)
        if following is None:
            yield tuple(path)
        else:
            waiting += [(child, depth + 1) for child in reversed(following)]
