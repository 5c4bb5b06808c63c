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

_FIRST_STEP = re.compile(r"(?i)\bstep 1\s*:")


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
    steps, labels, position = [], [], 0
    for part, sign in zip(parts, [*signs, None], strict=True):
        text = part[max(0, start - position) :].strip()
        inside = position + len(part) > start
        position += len(part) + len(MARK)
        if inside and text:
            steps.append(text)
            labels.append(None if sign is None else Label(value=float(sign == "+"), source="monte-carlo"))
    if not prompt or not steps:
        raise InputError("no question or no step", where=where, got=marked)
    tree = StepTree.from_steps(Problem(id=problem_id("math-shepherd", prompt), prompt=prompt), steps, labels)
    tree.meta["task"] = str(row.get("task", ""))
    return tree


def _signs(parts: list[str], labelled: str, where: str) -> list[str]:
    """The character of ``label`` at each mark, everything between them being equal."""
    signs, position = [], 0
    for number, part in enumerate(parts):
        if labelled[position : position + len(part)] != part:
            raise InputError(
                "label is not input with its marks replaced",
                where=where,
                got=labelled[position : position + 40],
                expected=repr(part[:40]),
            )
        position += len(part)
        if number < len(parts) - 1:
            signs.append(labelled[position : position + 1])
            position += 1
    if position != len(labelled) or not set(signs) <= {"+", "-"}:
        raise InputError("illegal marks in label", where=where, got=signs, expected="+ or - for each step")
    return signs


def _start(marked: str, where: str) -> int:
    """Where the first step begins: at its name, or without one after the question mark."""
    named = _FIRST_STEP.search(marked)
    if named:
        return named.start()
    asked = marked.find("?")
    if asked < 0:
        raise InputError("no first step", where=where, got=marked, expected="'Step 1:', or a question mark before it")
    return asked + 1
