"""CodeContests: problems of programming contests, with public, private and generated tests.

Source: Li et al. 2022, arXiv 2203.07814; deepmind/code_contests on the Hugging Face hub.
"""

from typing import Any

from prmkit.rows_io import Fields, field
from prmkit.sources import problem_id, required
from prmkit.sources.cases import asked, cases_of
from prmkit.tree import Case, Problem, StepTree


def tree_of(row: Fields, where: str, *, max_tests: int = 32, ask: bool = False) -> StepTree | None:
    """The problem without steps, to be solved and annotated; one without tests is left out.

    Its tests are the public ones, then the private and the generated ones, which a search may not see.

    Args:
        row: of the corpus.
        where: its place.
        max_tests: the first so many tests are kept.
        ask: end the problem with a request for steps and a program.

    Raises:
        InputError: a column is missing or illegal.
    """
    tests: list[Case] = []
    for column in ("public_tests", "private_tests", "generated_tests"):
        pairs: Any = required(row, where, column, dict) if row.get(column) is not None else {"input": [], "output": []}
        inputs: list[Any] = required(pairs, where, "input", list)
        outputs: list[Any] = required(pairs, where, "output", list)
        tests += cases_of(inputs, outputs, None, where, public=len(inputs) if column == "public_tests" else 0)
    if not tests:
        return None
    prompt = field(row, where, "description")
    rating = row.get("cf_rating")
    problem = Problem(
        id=problem_id("code-contests", prompt),
        prompt=asked(prompt, ask=ask),
        domain="code",
        level=str(rating) if isinstance(rating, int) and rating > 0 else None,
        tests=tuple(tests[:max_tests]),
    )
    return StepTree(problem, meta={"name": str(row.get("name") or "")})
