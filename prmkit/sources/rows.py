"""Plain rows: any JSON lines with a problem, and perhaps its solution, under whatever names the columns have."""

from typing import Any, Literal

from prmkit.columns import gold_text
from prmkit.errors import InputError
from prmkit.rows_io import Fields, field
from prmkit.sources import problem_id, required
from prmkit.tree import Label, Problem, StepTree


def tree_of(
    row: Fields,
    where: str,
    *,
    prompt: str = "problem",
    steps: str = "steps",
    labels: str = "labels",
    answer: str = "answer",
    step_end: str = "\n\n",
    labelled_by: Literal["human", "monte-carlo", "judge"] = "human",
) -> StepTree:
    """The path of a row, or its problem alone where it has no steps.

    Args:
        row: of any file; columns not named here are passed over.
        where: its place.
        prompt: the column of the problem's text.
        steps: the column of the steps: a list of texts, or one text that ``step_end`` parts. It may be absent.
        labels: the column of one label a step: true, false, null, or a probability. It may be absent.
        answer: the column of the right answer. It may be absent.
        step_end: what parts the steps of one text.
        labelled_by: who made the labels.

    Raises:
        InputError: there is no problem, a column is of another type, labels and steps differ in number, or
            ``step_end`` is empty.
    """
    if not step_end:
        raise InputError("illegal step_end", where=where, got=step_end, expected="the text that parts steps")
    problem = Problem(
        id=problem_id("rows", field(row, where, prompt)),
        prompt=field(row, where, prompt),
        answer=gold_text(row[answer], where, answer) if row.get(answer) is not None else None,
    )
    texts = _texts(row.get(steps), where, steps, step_end)
    values: list[Any] = required(row, where, labels, list) if row.get(labels) is not None else [None] * len(texts)
    return StepTree.from_steps(problem, texts, [label_of(value, where, labelled_by) for value in values])


def label_of(value: object, where: str, labelled_by: str) -> Label | None:
    """The label that a row states as true, false, null or a probability.

    Raises:
        InputError: it is something else.
    """
    if value is None:
        return None
    if isinstance(value, bool | int | float) and 0 <= value <= 1:
        return Label(value=float(value), source=labelled_by)
    raise InputError("illegal label", where=where, got=value, expected="true, false, null, or a number from 0 to 1")


def _texts(given: Any, where: str, column: str, step_end: str) -> list[str]:
    if given is None:
        return []
    if isinstance(given, str):
        return [step.strip() for step in given.split(step_end) if step.strip()]
    if not isinstance(given, list) or not all(isinstance(step, str) for step in given):
        raise InputError(f"illegal {column}", where=where, got=given, expected="a text, or a list of texts")
    return given
