"""GSM8K: word problems with rationales that people wrote.

Source: Cobbe et al. 2021, arXiv 2110.14168; openai/gsm8k on the Hugging Face hub.
"""

from prmkit.errors import InputError
from prmkit.grade.math.answers import normalise, plain_number
from prmkit.grade.math.extraction import extract
from prmkit.rows_io import Fields, field
from prmkit.sources import gold_path, problem_id
from prmkit.tree import Problem, StepTree


def tree_of(row: Fields, where: str, *, gold: bool = False) -> StepTree:
    """The problem without steps, to be solved and annotated; with ``gold`` also its rationale, a right step a line.

    Raises:
        InputError: a column is missing, or the rationale declares no answer.
    """
    prompt, rationale = field(row, where, "question"), field(row, where, "answer", "ground_truth")
    answer = extract(rationale)
    if answer is None:
        raise InputError("the rationale has no answer", where=where, got=rationale[-40:], expected="a line '#### 72'")
    problem = Problem(id=problem_id("gsm8k", prompt), prompt=prompt, answer=plain_number(answer) or normalise(answer))
    return gold_path(problem, rationale.splitlines()) if gold else StepTree(problem)
