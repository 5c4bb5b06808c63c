"""Minerva's problems: 272 from courses of MIT OpenCourseWare in physics, chemistry, economics and mathematics.

Reads the data set of the hub, and the evaluation data of Qwen2.5-Math, in which a worked solution boxes the answer and
``type`` is the course.

Source: Lewkowycz et al. 2022, arXiv 2206.14858, section 3.3 (OCWCourses).
"""

from pathlib import Path

from prmkit.benchmarks.math_rows import problem_in
from prmkit.rows_io import first_rows
from prmkit.tree import Problem


def load(*, path: Path | None, limit: int | None, seed: int) -> list[Problem]:
    """The problems in file order, with ids ``minerva-<idx>``; the subject is the course.

    Raises:
        InputError: a row lacks its problem, or its solution boxes no answer.
    """
    rows = first_rows(path, hub="math-ai/minervamath", split="test", limit=limit)
    return [problem_in(row, where, "minerva", index) for index, (where, row) in enumerate(rows)]
