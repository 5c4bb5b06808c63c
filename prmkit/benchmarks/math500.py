"""MATH-500: 500 competition problems with five levels.

Source: Lightman et al. 2023, arXiv:2305.20050; data of Hendrycks et al. 2021, arXiv:2103.03874.
"""

from pathlib import Path

from prmkit.rows_io import field, first_rows
from prmkit.tree import Problem


def load(*, path: Path | None, limit: int | None, seed: int) -> list[Problem]:
    """The problems in file order; ids are ``unique_id``, levels "1" to "5" (written 2 or "Level 2" in the file).

    Raises:
        InputError: a row lacks its problem, answer or id.
    """
    problems = []
    for where, row in first_rows(path, hub="HuggingFaceH4/MATH-500", split="test", limit=limit):
        problems.append(
            Problem(
                id=field(row, where, "unique_id"),
                prompt=field(row, where, "problem"),
                answer=field(row, where, "answer"),
                level=field(row, where, "level").removeprefix("Level ") if row.get("level") is not None else None,
                subject=str(row["subject"]) if row.get("subject") else None,
            )
        )
    return problems
