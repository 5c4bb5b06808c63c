"""What training takes of a tree, whatever corpus it came from."""

from dataclasses import replace

from prmkit.tree import ROOT, StepTree


def depth(tree: StepTree) -> int:
    """The number of steps of the longest solution."""
    depths: list[int] = []
    for node in tree.nodes:
        depths.append(1 + (depths[node.parent] if node.parent != ROOT else 0))
    return max(depths, default=0)


def up_to_first_error(tree: StepTree) -> StepTree:
    """The tree without the steps that follow a wrong one (label below 1/2): whether they are right has no clear answer.

    Source: Lightman et al. 2023, arXiv 2305.20050, section 2.6, supervise up to the first incorrect step.
    """
    kept = StepTree(tree.problem, meta=dict(tree.meta))
    new_of = {ROOT: ROOT}
    wrong: set[int] = set()
    for index, node in enumerate(tree.nodes):
        if node.parent not in new_of or node.parent in wrong:
            continue
        new_of[index] = kept.append(replace(node, parent=new_of[node.parent]))
        if node.label is not None and node.label.value < 0.5:
            wrong.add(index)
    return kept
