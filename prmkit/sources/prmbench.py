"""PRMBench: right solutions into which errors of nine kinds were written, each wrong step marked.

Source: Song et al. 2025, arXiv 2501.03124; hitsmy/PRMBench_Preview on the Hugging Face hub. It counts steps from 1.
"""

from typing import Any

from prmkit.errors import InputError
from prmkit.rows_io import Row, field
from prmkit.sources import required
from prmkit.tree import Label, Problem, StepTree

_RIGHT, _WRONG = Label(value=1.0, source="human"), Label(value=0.0, source="human")


def tree_of(row: Row, where: str) -> StepTree:
    """The path of the modified solution; every step has a label, also after the first wrong one.

    The tree's meta holds ``classification``: the kind of error. A redundant step is marked as wrong ones are, although
    what it says may be true.

    Raises:
        InputError: a column is missing or illegal, or an error step is none of the solution's.
    """
    steps: list[Any] = required(row, where, "modified_process", list)
    errors: list[Any] = required(row, where, "error_steps", list)
    if not steps or not all(isinstance(step, str) for step in steps):
        raise InputError("illegal steps", where=where, got=steps, expected="texts")
    for number in errors:
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(steps):
            raise InputError("an error step names no step", where=where, got=number, expected=f"1 to {len(steps)}")
    wrong = set(errors)
    labels = [_WRONG if number in wrong else _RIGHT for number in range(1, len(steps) + 1)]
    problem = Problem(id=field(row, where, "idx"), prompt=field(row, where, "modified_question"))
    tree = StepTree.from_steps(problem, steps, labels)
    tree.meta["classification"] = str(row.get("classification", ""))
    return tree
