"""MATH: competition problems with worked solutions.

Source: Hendrycks et al. 2021, arXiv 2103.03874; EleutherAI/hendrycks_math on the Hugging Face hub, a config a subject.
"""

from prmkit.errors import InputError
from prmkit.grade.math.extraction import extract
from prmkit.rows_io import Fields, field
from prmkit.sources import gold_path, problem_id
from prmkit.tree import Problem, StepTree


def tree_of(row: Fields, where: str, *, gold: bool = False) -> StepTree:
    """The problem without steps, to be solved and annotated; with ``gold`` also its solution, a paragraph a step, all
    right.

    The answer is the column ``answer``, where there is one (MATH-500), else what the solution boxes last.

    Raises:
        InputError: a column is missing, or the solution boxes no answer.
    """
    prompt, solution = field(row, where, "problem"), field(row, where, "solution")
    answer = field(row, where, "answer") if row.get("answer") is not None else _boxed(solution)
    if answer is None:
        raise InputError("the solution has no answer", where=where, got=solution[-40:], expected=r"\boxed{...}")
    level = field(row, where, "level").removeprefix("Level ") if row.get("level") is not None else None
    problem = Problem(id=problem_id("math", prompt), prompt=prompt, answer=answer, level=level)
    return gold_path(problem, solution.split("\n\n")) if gold else StepTree(problem)


def _boxed(solution: str) -> str | None:
    return extract(solution) if "\\boxed" in solution or "\\fbox" in solution else None
