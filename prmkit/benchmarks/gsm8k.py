"""GSM8K: grade-school word problems with whole-number answers.

Source: Cobbe et al. 2021, arXiv:2110.14168.
"""

from pathlib import Path
from typing import Literal

from prmkit.errors import InputError
from prmkit.grade.math.answers import normalise
from prmkit.grade.math.extraction import extract
from prmkit.rows_io import field, first_rows
from prmkit.tree import Problem


def load(*, path: Path | None, limit: int | None, seed: int, split: Literal["train", "test"] = "test") -> list[Problem]:
    """The problems in file order, with ids ``gsm8k-<split>-0`` and on.

    The answer is what stands after ``####`` in the rationale (``A:`` in the published model solutions), without
    commas.

    Raises:
        InputError: a row lacks its question, or its rationale declares no answer.
    """
    if split not in ("train", "test"):
        raise InputError("unknown split of GSM8K", got=split, expected="train or test")
    problems = []
    rows = first_rows(path, hub="openai/gsm8k", config="main", split=split, limit=limit)
    for index, (where, row) in enumerate(rows):
        rationale = field(row, where, "answer", "ground_truth")
        answer = extract(rationale)
        if answer is None:
            raise InputError(
                "the rationale has no answer", where=where, got=rationale[-40:], expected="a line '#### 72'"
            )
        problems.append(
            Problem(id=f"gsm8k-{split}-{index}", prompt=field(row, where, "question"), answer=normalise(answer))
        )
    return problems
