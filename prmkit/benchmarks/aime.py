"""AIME 2024 and 2025: 30 problems a year, answers from 0 to 999.

Reads every column naming in use: problem or question; answer or expected_answer; capitals or not.
"""

from dataclasses import replace
from pathlib import Path

from prmkit.benchmarks.math_rows import problem_in
from prmkit.errors import InputError
from prmkit.grade.math.answers import plain_number
from prmkit.rows_io import first_rows
from prmkit.tree import Problem

_HUB = {2024: "HuggingFaceH4/aime_2024", 2025: "yentinglin/aime_2025"}


def load(*, path: Path | None, limit: int | None, seed: int, year: int = 2024) -> list[Problem]:
    """The problems in file order.

    Args:
        path: see prmkit.benchmarks.load.
        limit: see prmkit.benchmarks.load.
        seed: not used.
        year: which data set of the hub; also names the problems of files whose rows have no id of their own or only
            a number (``aime2024-60``).

    Raises:
        InputError: a row lacks its problem, or its answer is no integer from 0 to 999.
    """
    if path is None and year not in _HUB:
        raise InputError("no AIME of that year", got=year, expected=f"one of {sorted(_HUB)}", cure="Or give path=.")
    problems = []
    rows = first_rows(path, hub=_HUB.get(year, ""), split="train", limit=limit)
    for index, (where, row) in enumerate(rows):
        problem = problem_in(row, where, f"aime{year}", index)
        answer = plain_number(problem.answer or "")
        if answer is None or not answer.isdecimal() or int(answer) > 999:
            raise InputError("not an AIME answer", where=where, got=problem.answer, expected="an integer from 0 to 999")
        problems.append(replace(problem, answer=answer))
    return problems
