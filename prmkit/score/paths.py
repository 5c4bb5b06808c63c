"""The paths of a tree, as scorers see them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from prmkit.errors import InputError
from prmkit.run.seeds import seed_of
from prmkit.tree import ROOT, StepTree


def asked_by_tip(tree: StepTree, nodes: Sequence[int]) -> dict[int, list[int]]:
    """The asked nodes that no other asked node follows, with the asked nodes on the path of each.

    Together they are all that were asked, each once, the first on a path first.
    """
    inner = {ancestor for node in nodes for ancestor in tree.path(node)[:-1]}
    missing = set(nodes)
    found: dict[int, list[int]] = {}
    for tip in dict.fromkeys(nodes):
        if tip not in inner:
            found[tip] = [node for node in tree.path(tip) if node in missing]
            missing.difference_update(found[tip])
    return found


def tree_of(tree: StepTree, paths: Iterable[Sequence[int]]) -> tuple[StepTree, dict[int, int]]:
    """A tree of these paths alone, and the index that each of their steps has in it.

    Args:
        tree: with the steps.
        paths: each some steps of one path of it, in order; a step that is in several follows the same one in each.
    """
    part, new = StepTree(tree.problem), dict[int, int]()
    for path in paths:
        parent = ROOT
        for node in path:
            if node not in new:
                new[node] = len(part)
                part.nodes.append(replace(tree.nodes[node], parent=parent))
            parent = new[node]
    return part, new


def path_seed(seed: int, tree: StepTree, node: int) -> int:
    """A number below 2**63 that is fixed by a seed, the problem and the steps up to ``node``."""
    return seed_of("\x1f".join([str(seed), tree.problem.id, *tree.steps(node)]))


def check_length(tree: StepTree, node: int, length: int, context: int) -> None:
    """Refuse a path that a PRM cannot read whole.

    Raises:
        InputError: it has more tokens than the context.
    """
    if length > context:
        raise InputError(
            "the solution is longer than the PRM's context",
            where=f"{tree.problem.id}, step {node}",
            got=f"{length} tokens",
            expected=f"at most {context}",
        )
