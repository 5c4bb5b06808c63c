"""PRMBench: solutions that were changed so that some steps are wrong, one kind of error a class.

Source: Song et al. 2025, arXiv 2501.03124; hitsmy/PRMBench_Preview. Step numbers there count from 1.
"""

from typing import Any

from prmkit.errors import InputError
from prmkit.rows_io import Fields, field
from prmkit.sources import required
from prmkit.tree import Label, Problem, StepTree

_RIGHT, _WRONG = Label(value=1.0, source="human"), Label(value=0.0, source="human")


def tree_of(row: Fields, where: str) -> StepTree:
    """The path of the changed solution; the steps in ``error_steps`` are wrong, all others right.

    A number beyond the last step, as a real row has one, names none and is passed over, as in the official evaluation.
    The tree's meta holds ``class``, PRMBench's classification.

    Raises:
        InputError: a column is missing or illegal, or an error is no step number.
    """
    steps: list[Any] = required(row, where, "modified_process", list)
    errors: list[Any] = required(row, where, "error_steps", list)
    if not steps or not all(isinstance(step, str) for step in steps):
        raise InputError("illegal modified_process", where=where, got=steps, expected="texts")
    if not all(isinstance(number, int) and number >= 1 for number in errors):
        raise InputError("an error names no step", where=where, got=errors, expected=f"numbers from 1 to {len(steps)}")
    labels = [_WRONG if number in errors else _RIGHT for number in range(1, len(steps) + 1)]
    problem = Problem(id=field(row, where, "idx"), prompt=field(row, where, "modified_question", "question"))
    tree = StepTree.from_steps(problem, steps, labels)
    tree.meta["class"] = field(row, where, "classification")
    return tree
