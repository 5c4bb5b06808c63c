import json
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError


def test_answers_are_joined_and_what_cannot_be_checked_is_left_out(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "question": "Q", "final_answer": ["$2$", "3"], "subfield": "Algebra", "difficulty": "Competition"},
        {"id": 2, "question": "Q", "final_answer": ["1"], "context": "Let x be 1."},
        {"id": 4, "question": "Q", "final_answer": ["$69$,$84$"], "is_multiple_answer": True},
        {"id": 3, "question": "Show.", "final_answer": None, "question_type": "Theorem proof"},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    problems = load("olympiadbench", path=path)
    assert [(problem.id, problem.prompt, problem.answer) for problem in problems] == [
        ("olympiadbench/1", "Q", "2, 3"),
        ("olympiadbench/2", "Let x be 1.\n\nQ", "1"),
        ("olympiadbench/4", "Q", "69,84"),
    ]
    assert (problems[0].level, problems[0].subject) == ("Competition", "Algebra")
    path.write_text(json.dumps({"id": 1, "question": "Q", "final_answer": []}))
    with pytest.raises(InputError, match="illegal final_answer"):
        load("olympiadbench", path=path)
