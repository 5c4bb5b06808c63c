"""The problems of PRM800K: its own test split of MATH, or those that its labelled files ask.

Source: Lightman et al. 2023, arXiv:2305.20050.
"""

from pathlib import Path

from prmkit.benchmarks.math_rows import problem_in
from prmkit.download import cached
from prmkit.row_files import local_rows
from prmkit.rows_io import Fields, field
from prmkit.tree import Problem

_TEST = "https://media.githubusercontent.com/media/openai/prm800k/main/prm800k/math_splits/test.jsonl"


def load(*, path: Path | None, limit: int | None, seed: int) -> list[Problem]:
    """The problems in file order, each once; those without a known answer (null) are left out.

    Args:
        path: rows of ``math_splits`` (problem, answer, unique_id), or labelled rows, of which each holds a question;
            without, the split ``test.jsonl`` is downloaded: the 500 problems that are never trained on.
        limit: see prmkit.benchmarks.load.
        seed: not used.

    Raises:
        InputError: a row lacks its problem or its answer.
    """
    problems: dict[str, Problem] = {}
    for index, raw in enumerate(local_rows(path or cached(_TEST))):
        row = raw.parse()
        labelled = isinstance(row.get("question"), dict)
        problem = _labelled(row, raw.where) if labelled else problem_in(row, raw.where, "prm800k", index)
        if problem is not None:
            problems.setdefault(problem.prompt, problem)
        if limit is not None and len(problems) == limit:
            break
    return list(problems.values())


def _labelled(row: Fields, where: str) -> Problem | None:
    from prmkit.sources import problem_id

    question = row["question"]
    prompt = field(question, where, "problem")
    if question.get("ground_truth_answer", "") is None:
        return None  # a problem that labellers found bad, or gave up
    return Problem(
        id=problem_id("prm800k", prompt), prompt=prompt, answer=field(question, where, "ground_truth_answer")
    )
