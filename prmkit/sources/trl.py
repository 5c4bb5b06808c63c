"""The stepwise-supervision form of TRL's data sets: ``prompt``, ``completions``, ``labels``.

Source: trl-lib/math_shepherd, trl-lib/prm800k and HuggingFaceH4/prm800k-trl-dedup on the Hugging Face hub. The form
does not say who made the labels.
"""

from collections.abc import Iterator
from typing import Any, Literal

from prmkit.errors import InputError
from prmkit.rows_io import Fields
from prmkit.sources import problem_id, required
from prmkit.sources.rows import label_of
from prmkit.tree import Problem, StepTree


def tree_of(
    row: Fields, where: str, *, labelled_by: Literal["human", "monte-carlo", "judge"] = "human"
) -> StepTree | None:
    """The path of a row. Labels may be truth values or probabilities; null is no label. A row without steps is left
    out: the published script writes such rows for problems whose first step was never chosen.

    Raises:
        InputError: a column is missing, steps and labels differ in number, or a label is no probability.
    """
    prompt: str = required(row, where, "prompt", str)
    steps: list[Any] = required(row, where, "completions", list)
    values: list[Any] = required(row, where, "labels", list)
    if not steps and not values:
        return None
    if len(steps) != len(values):
        raise InputError("steps and labels differ in number", where=where, got=(len(steps), len(values)))
    if not all(isinstance(step, str) for step in steps):
        raise InputError("a step is no text", where=where, got=steps)
    labels = [label_of(value, where, labelled_by) for value in values]
    return StepTree.from_steps(Problem(id=problem_id("trl", prompt), prompt=prompt), steps, labels)


def trl_rows(tree: StepTree) -> Iterator[dict[str, Any]]:
    """The rows of a tree in this form, one for each root-to-leaf path, up to its last labelled step.

    A path with an unlabelled step before a labelled one gives none, since the form has no word for it. Paths that end
    alike after that cut give one row. Certain labels become truth values, others stay numbers.
    """
    seen: set[int] = set()
    for leaf in tree.leaves():
        path = tree.path(leaf)
        labels = [tree.nodes[node].label for node in path]
        while labels and labels[-1] is None:
            labels.pop()
        values = [label.value for label in labels if label is not None]
        if not values or len(values) < len(labels) or path[len(values) - 1] in seen:
            continue
        seen.add(path[len(values) - 1])
        yield {
            "prompt": tree.problem.prompt,
            "completions": [tree.nodes[node].text for node in path[: len(values)]],
            "labels": [bool(value) if value in (0, 1) else value for value in values],
        }
