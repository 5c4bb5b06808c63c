"""GSM8K: grade-school word problems with whole-number answers.

Source: Cobbe et al. 2021, arXiv:2110.14168.
"""

from pathlib import Path
from typing import Literal

from prmkit.benchmarks.math_rows import id_in
from prmkit.columns import ANSWER, WORKED, first, problem_of
from prmkit.errors import InputError
from prmkit.grade.math.answers import plain_number
from prmkit.grade.math.extraction import extract
from prmkit.rows_io import Fields, first_rows, plain
from prmkit.tree import Problem


def load(*, path: Path | None, limit: int | None, seed: int, split: Literal["train", "test"] = "test") -> list[Problem]:
    """The problems in file order, with ids ``gsm8k-<split>-0`` and on.

    The answer is what stands after ``####`` in the rationale (``A:`` in the published model solutions), without
    commas; or the number alone.

    Raises:
        InputError: a row lacks its question, or its rationale declares no answer.
    """
    if split not in ("train", "test"):
        raise InputError("unknown split of GSM8K", got=split, expected="train or test")
    rows = first_rows(path, hub="openai/gsm8k", config="main", split=split, limit=limit)
    return [_problem(row, where, f"gsm8k-{split}", index) for index, (where, row) in enumerate(rows)]


def _problem(row: Fields, where: str, name: str, index: int) -> Problem:
    rationale = plain(first(row, (*ANSWER, *WORKED))[1]) or ""
    answer = plain_number(extract(rationale) or rationale)
    if answer is None:
        raise InputError("the rationale has no answer", where=where, got=rationale[-40:], expected="a line '#### 72'")
    return Problem(id=id_in(row, name, index), prompt=problem_of(row, where), answer=answer)
