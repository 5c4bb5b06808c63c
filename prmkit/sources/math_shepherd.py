"""Math-Shepherd: solutions whose steps a Monte-Carlo estimate marked + or -, as one text with marks.

Source: Wang et al. 2023, arXiv 2312.08935; peiyi9979/Math-Shepherd on the Hugging Face hub. Its labels are hard: + if
any of the sampled completions of the step reached the answer.
"""

import re

from prmkit.errors import InputError
from prmkit.rows_io import Fields
from prmkit.sources import problem_id, required
from prmkit.tree import Label, Problem, StepTree

MARK = "ки"
"""Stands after every step of ``input``, where ``label`` has its + or -."""

_LABELS = {sign: Label(value=value, source="monte-carlo") for sign, value in (("+", 1.0), ("-", 0.0))}
_FIRST_STEP = re.compile(r"(?i)\bstep 1\s*:")
_NAME, _NUMBER = "step", " 1"
"""How the name of a first step begins, in any case, and what follows as it stands."""


def tree_of(row: Fields, where: str) -> StepTree:
    """The path of a row. Steps keep their ``Step 1:``, as the corpus has it; text after the last mark is an unlabelled
    step.

    Labels are found by their position, since a step may itself end in + or -. A dozen rows have a mark inside the
    question; it labels nothing.

    Raises:
        InputError: a column is missing, ``label`` is not ``input`` with its marks replaced, or no step can be found.
    """
    marked: str = required(row, where, "input", str)
    labelled: str = required(row, where, "label", str)
    parts = marked.split(MARK)
    signs = _signs(parts, labelled, where)
    start = _start(marked, where)
    prompt = marked[:start].replace(MARK, " ").strip()
    steps: list[str] = []
    labels: list[Label | None] = []
    left = start  # characters of the question that are still to come
    for part, sign in zip(parts, [*signs, ""], strict=True):
        if left < len(part) and (text := (part[left:] if left > 0 else part).strip()):
            steps.append(text)
            labels.append(_LABELS.get(sign))
        left -= len(part) + len(MARK)
    if not prompt or not steps:
        raise InputError("no question or no step", where=where, got=marked)
    tree = StepTree.from_steps(Problem(id=problem_id("math-shepherd", prompt), prompt=prompt), steps, labels)
    tree.meta["task"] = str(row.get("task", ""))
    return tree


def _signs(parts: list[str], labelled: str, where: str) -> list[str]:
    """The character of ``label`` at each mark, everything between them being equal."""
    signs, position = [], 0
    for part in parts:
        if part and not labelled.startswith(part, position):
            raise InputError(
                "label is not input with its marks replaced",
                where=where,
                got=labelled[position : position + 40],
                expected=repr(part[:40]),
            )
        position += len(part) + 1
        signs.append(labelled[position - 1 : position])
    # Behind the last part nothing stands.
    if signs.pop() or not _LABELS.keys() >= set(signs):
        raise InputError("illegal marks in label", where=where, got=signs, expected="+ or - for each step")
    return signs


def _start(marked: str, where: str) -> int:
    """Where the first step begins: at its name, or without one after the question mark."""
    # A search for the name in any case would look at each letter of the question.
    number = marked.find(_NUMBER, len(_NAME))
    while number >= 0:
        if _FIRST_STEP.match(marked, number - len(_NAME)):
            return number - len(_NAME)
        number = marked.find(_NUMBER, number + 1)
    asked = marked.find("?")
    if asked < 0:
        raise InputError("no first step", where=where, got=marked, expected="'Step 1:', or a question mark before it")
    return asked + 1
