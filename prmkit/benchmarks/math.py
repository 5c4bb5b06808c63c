"""MATH: competition problems of seven subjects and five levels, 7,500 to train and 5,000 to test.

Source: Hendrycks et al. 2021, arXiv:2103.03874.
"""

from pathlib import Path
from typing import Literal

from prmkit.benchmarks.math_rows import problem_in
from prmkit.errors import InputError
from prmkit.rows_io import Fields, first_rows
from prmkit.tree import Problem

_SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)


def load(*, path: Path | None, limit: int | None, seed: int, split: Literal["train", "test"] = "test") -> list[Problem]:
    r"""The problems in file order (of the hub: subject by subject), with ids ``math-<split>-0`` and on or their own.

    The answer is what the solution's last ``\boxed`` holds; a row may give it as ``answer``.

    Raises:
        InputError: a row lacks its problem, or its solution declares no answer.
    """
    if split not in ("train", "test"):
        raise InputError("unknown split of MATH", got=split, expected="train or test")
    rows: list[tuple[str, Fields]] = []
    for subject in _SUBJECTS if path is None else (None,):
        room = None if limit is None else limit - len(rows)
        if room != 0:
            rows += first_rows(path, hub="EleutherAI/hendrycks_math", config=subject, split=split, limit=room)
    return [problem_in(row, where, f"math-{split}", index) for index, (where, row) in enumerate(rows)]
