"""What became of each step of a searched tree."""

from typing import Literal

from prmkit.tree import StepTree

StepStatus = Literal["chosen", "finished", "unfinished", "pruned", "inner"]


def statuses(tree: StepTree) -> list[StepStatus]:
    """One word a node: on the path of the answer; the end of another solution; cut by a limit; left by the search; or
    only a step on the way.
    """
    chosen = set(tree.path(tree.chosen))
    leaves = set(tree.leaves())
    return [
        "chosen"
        if index in chosen
        else "finished"
        if node.finish == "eos"
        else "unfinished"
        if node.finish in ("length", "cancelled")
        else "pruned"
        if index in leaves
        else "inner"
        for index, node in enumerate(tree)
    ]
