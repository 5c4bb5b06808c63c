"""OlympiadBench: problems of olympiads; here those in text with an answer that can be checked.

Source: He et al. 2024, arXiv 2402.14008.
"""

from pathlib import Path
from typing import Any

from prmkit.errors import InputError
from prmkit.rows_io import Fields, field, first_rows
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
    answers: Any = row.get("final_answer", row.get("answer"))
    if row.get("question_type") == "Theorem proof" or row.get("image_1"):
        return None
    if isinstance(answers, list):
        answers = ", ".join(str(answer).strip().strip("$") for answer in answers)
    if not isinstance(answers, str) or not answers.strip():
        raise InputError("the row has no final_answer", where=where, got=answers, expected="a text or a list of them")
    context = str(row.get("context") or "").strip()
    question = field(row, where, "question", "problem")
    return Problem(
        id=f"olympiadbench/{row.get('id', index)}",
        prompt=f"{context}\n\n{question}" if context else question,
        answer=answers.strip().removeprefix("$").removesuffix("$"),
        level=str(row["difficulty"]) if row.get("difficulty") else None,
        subject=str(row["subfield"]) if row.get("subfield") else None,
    )
