"""ProcessBench: solutions of which people marked the first wrong step.

Source: Zheng et al. 2024, arXiv 2412.06559. ``label`` is the 0-based index of that step, -1 where there is none.
"""

from prmkit.errors import InputError
from prmkit.rows_io import Fields, field
from prmkit.sources import required, written_steps
from prmkit.tree import Label, Problem, StepTree

_RIGHT, _WRONG = Label(value=1.0, source="human"), Label(value=0.0, source="human")


def tree_of(row: Fields, where: str) -> StepTree:
    """The path of a row: right up to the first wrong step, wrong there, and unlabelled after it.

    The tree's meta holds ``generator``. That the final answer is right (``final_answer_correct``) says nothing about
    the steps: a wrong one may lead there.

    Raises:
        InputError: a column is missing or illegal, or the label names no step.
        Unusable: a step is empty.
    """
    steps = written_steps(row, where, "steps")
    first: int = required(row, where, "label", int)
    if isinstance(first, bool) or not -1 <= first < len(steps):
        raise InputError("the label names no step", where=where, got=first, expected=f"-1 to {len(steps) - 1}")
    right = len(steps) if first == -1 else first
    labels = [_RIGHT if index < right else _WRONG if index == first else None for index in range(len(steps))]
    problem = Problem(id=field(row, where, "id"), prompt=required(row, where, "problem", str))
    tree = StepTree.from_steps(problem, steps, labels)
    tree.meta["generator"] = str(row.get("generator", ""))
    return tree
