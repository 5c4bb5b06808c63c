"""PRMBench: solutions that were changed so that some steps are wrong, one kind of error a class.

Source: Song et al. 2025, arXiv 2501.03124; hitsmy/PRMBench_Preview. Step numbers there count from 1.
"""

import re
from typing import Any

from prmkit.errors import InputError
from prmkit.rows_io import Fields, field
from prmkit.sources import required, written_steps
from prmkit.tree import Label, Problem, StepTree

_RIGHT, _WRONG = Label(value=1.0, source="human"), Label(value=0.0, source="human")


def tree_of(row: Fields, where: str) -> StepTree:
    """The path of the changed solution; the steps in ``error_steps`` are wrong, all others right.

    As in the official evaluation, a number beyond the last step names none and is passed over (100 of the 6,216 rows
    have one), and a step is read without its own number before it (all of ``multi_solutions`` begin with ``Step 1.``).
    The tree's meta holds ``class``, PRMBench's classification.

    Raises:
        InputError: a column is missing or illegal, or an error is no step number.
        Unusable: a step is empty, as in three of the rows.
    """
    steps = written_steps(row, where, "modified_process")
    errors: list[Any] = required(row, where, "error_steps", list)
    if not all(isinstance(number, int) and number >= 1 for number in errors):
        raise InputError("an error names no step", where=where, got=errors, expected=f"numbers from 1 to {len(steps)}")
    labels = [_WRONG if number in errors else _RIGHT for number in range(1, len(steps) + 1)]
    problem = Problem(id=field(row, where, "idx"), prompt=field(row, where, "modified_question", "question"))
    tree = StepTree.from_steps(problem, [_unnumbered(*each) for each in enumerate(steps, start=1)], labels)
    tree.meta["class"] = field(row, where, "classification")
    return tree


def _unnumbered(number: int, step: str) -> str:
    """A step without its own number before it; another number is part of what it says."""
    text = re.sub(rf"^\s*(?:step\s*)?{number}\.\s+", "", step, count=1, flags=re.IGNORECASE)
    return text if text.strip() else step
