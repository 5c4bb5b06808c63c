"""OlympiadBench: problems of olympiads; here those in text with an answer that can be checked.

Source: He et al. 2024, arXiv 2402.14008.
"""

from dataclasses import replace
from pathlib import Path

from prmkit.benchmarks.math_rows import problem_in
from prmkit.columns import id_of, without_dollars
from prmkit.rows_io import Fields, first_rows
from prmkit.tree import Problem


def load(*, path: Path | None, limit: int | None, seed: int, config: str = "OE_TO_maths_en_COMP") -> list[Problem]:
    """The problems in file order, with ids ``olympiadbench/<id>``.

    Several final answers are one answer, separated by commas. Problems that ask for a proof or show a picture are left
    out.

    Args:
        path: see prmkit.benchmarks.load.
        limit: of the rows that are read.
        seed: not used.
        config: of the hub: open-ended, text only, mathematics, English, competition.

    Raises:
        InputError: a row lacks its question or its answer.
    """
    rows = first_rows(path, hub="Hothan/OlympiadBench", config=config, split="train", limit=limit)
    found = [_problem(row, where, index) for index, (where, row) in enumerate(rows)]
    return [problem for problem in found if problem is not None]


def _problem(row: Fields, where: str, index: int) -> Problem | None:
    if row.get("question_type") == "Theorem proof" or row.get("image_1"):
        return None
    problem = problem_in(row, where, "olympiadbench", index)
    return replace(problem, id=f"olympiadbench/{id_of(row) or index}", answer=without_dollars(problem.answer or ""))
