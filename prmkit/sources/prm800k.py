"""PRM800K, the raw files: what labellers saw and rated, step by step. One line is a tree.

Source: Lightman et al. 2023, arXiv 2305.20050; github.com/openai/prm800k, data/phase{1,2}_{train,test}.jsonl.
"""

from typing import Any, Literal

from prmkit.errors import InputError
from prmkit.rows_io import Fields
from prmkit.sources import problem_id, required
from prmkit.tree import ROOT, Label, Problem, StepTree

Neutral = Literal["positive", "negative", "soft", "drop", "trl"]
_RIGHT, _HALF, _WRONG = (Label(value=value, source="human") for value in (1.0, 0.5, 0.0))
_Meaning = dict[int | None, Label | None]
_MEANINGS: dict[str, _Meaning] = {
    "positive": {1: _RIGHT, 0: _RIGHT, -1: _WRONG, None: None},
    "negative": {1: _RIGHT, 0: _WRONG, -1: _WRONG, None: None},
    "soft": {1: _RIGHT, 0: _HALF, -1: _WRONG, None: None},
    "drop": {1: _RIGHT, 0: None, -1: _WRONG, None: None},
    "trl": {1: _RIGHT, 0: _WRONG, -1: _WRONG, None: _WRONG},
}
"""The label of each rating, by what the recipe says of neutral ones."""
_ANSWER = "\n\n# Answer\n\n"


def tree_of(row: Fields, where: str, *, neutral: Neutral = "positive", screening: bool = False) -> StepTree | None:
    """The tree of a line: every alternative of a step is a sibling, and the chosen one goes on.

    A step that a person wrote counts as right. Where the labeller chose nothing (an error was found, or the problem was
    given up) the tree ends.

    Args:
        row: of a raw file.
        where: its place.
        neutral: what rating 0 means; Lightman et al. count it as right (appendix B), TRL as wrong; drop leaves the step
            without a label. trl is TRL's whole mapping: a missing rating is wrong too.
        screening: also read the rows that tested the labellers, which are left out otherwise.

    Raises:
        InputError: a field is missing or illegal, or steps follow one of which nothing was chosen.
    """
    meaning = _MEANINGS.get(neutral)
    if meaning is None:
        raise InputError("unknown meaning of neutral", got=neutral, expected=", ".join(_MEANINGS))
    if not screening and (row.get("is_quality_control_question") or row.get("is_initial_screening_question")):
        return None
    question: Any = required(row, where, "question", dict)
    label: Any = required(row, where, "label", dict)
    prompt: str = required(question, where, "problem", str)
    answer = question.get("ground_truth_answer")
    tree = StepTree(
        Problem(id=problem_id("prm800k", prompt), prompt=prompt, answer=None if answer is None else str(answer)),
        meta={"finish_reason": str(label.get("finish_reason", ""))},
    )
    parent: int | None = ROOT
    for number, step in enumerate(required(label, where, "steps", list)):
        if not isinstance(step, dict):
            raise InputError(f"illegal step {number}", where=where, got=step, expected="dict")
        if step.get("completions") is None and step.get("human_completion") is None:
            break
        if parent is None:
            raise InputError(f"step {number} follows one of which nothing was chosen", where=where)
        try:
            parent = _add_alternatives(tree, parent, step, meaning)
        except InputError as error:
            raise InputError(str(error), where=f"{where} step {number}") from None
    return tree if tree.nodes else None


def _add_alternatives(tree: StepTree, parent: int, step: dict[str, Any], meaning: _Meaning) -> int | None:
    """Add the alternatives of one step and return the node that goes on, None if the labeller chose none."""
    nodes: dict[int, int] = {}
    alternatives = step.get("completions")
    if alternatives is not None and not isinstance(alternatives, list):
        raise InputError("illegal completions", got=alternatives, expected="list")
    for index, alternative in enumerate(alternatives or ()):
        text = _text(alternative)
        rating = alternative.get("rating")
        if (rating is not None and type(rating) is not int) or rating not in meaning:
            raise InputError("illegal rating", got=rating, expected="-1, 0, 1 or null")
        # A few models wrote nothing; there is no step to learn from.
        if text and not text.isspace():
            nodes[index] = tree.add(parent, text, label=meaning[rating], finish="eos" if _ANSWER in text else None)
    chosen, written = step.get("chosen_completion"), step.get("human_completion")
    by_hand = None if written is None else tree.add(parent, _text(written), label=_RIGHT)
    if chosen is None:
        return by_hand
    if chosen not in list(nodes):
        raise InputError("no such chosen completion", got=chosen, expected=f"one of {sorted(nodes)}")
    return nodes[chosen]


def _text(alternative: Any) -> str:
    text = alternative.get("text") if isinstance(alternative, dict) else None
    if not isinstance(text, str):
        raise InputError("illegal completion", got=alternative, expected="an object with a text")
    return text
