"""AMC 12: problems of the American Mathematics Competitions, without their choices; the answers are integers.

Reads the 83 problems of 2022 and 2023 on the hub, the 40 of Qwen2.5-Math's evaluation data, and any file of such rows.
"""

from pathlib import Path

from prmkit.benchmarks.math_rows import problem_in
from prmkit.rows_io import first_rows
from prmkit.tree import Problem


def load(*, path: Path | None, limit: int | None, seed: int) -> list[Problem]:
    """The problems in file order, with ids ``amc-<id>``; an answer that is written 27.0 is 27.

    Raises:
        InputError: a row lacks its problem or its answer.
    """
    rows = first_rows(path, hub="AI-MO/aimo-validation-amc", split="train", limit=limit)
    return [problem_in(row, where, "amc", index) for index, (where, row) in enumerate(rows)]
