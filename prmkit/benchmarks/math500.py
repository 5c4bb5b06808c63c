"""MATH-500: 500 competition problems with five levels.

Source: Lightman et al. 2023, arXiv:2305.20050; data of Hendrycks et al. 2021, arXiv:2103.03874.
"""

from pathlib import Path

from prmkit.benchmarks.math_rows import problem_in
from prmkit.rows_io import first_rows
from prmkit.tree import Problem


def load(*, path: Path | None, limit: int | None, seed: int) -> list[Problem]:
    """The problems in file order; ids are ``unique_id``, levels "1" to "5" (written 2 or "Level 2" in the file).

    Raises:
        InputError: a row lacks its problem or its answer.
    """
    rows = first_rows(path, hub="HuggingFaceH4/MATH-500", split="test", limit=limit)
    return [problem_in(row, where, "math500", index) for index, (where, row) in enumerate(rows)]
