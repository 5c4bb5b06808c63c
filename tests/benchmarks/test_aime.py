import json
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.tree import Problem


@pytest.mark.parametrize(
    ("row", "identity"),
    [
        ({"id": 60, "problem": "P", "solution": "S", "answer": "073", "url": "u", "year": "2024"}, "aime2024-60"),
        ({"ID": "2024-II-4", "Problem": "P", "Solution": "S", "Answer": 73}, "2024-II-4"),
        ({"question": "P", "answer": "73"}, "aime2024-0"),
        ({"id": "aime24-0", "problem": "P", "expected_answer": "73", "reference_solution": "S"}, "aime24-0"),
        ({"id": "7", "problem": "P", "answer": 73.0}, "aime2024-7"),
        ({"id": "a", "problem": "P", "answer": "73^\\circ"}, "a"),
    ],
)
def test_every_schema_in_use_is_read(tmp_path: Path, row: dict[str, object], identity: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row))
    assert load("aime", path=path) == [Problem(id=identity, prompt="P", answer="73")]


@pytest.mark.parametrize("answer", ["1000", "-1", "7.5", "x"])
def test_an_answer_outside_0_to_999_is_named(tmp_path: Path, answer: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"problem": "P", "answer": answer}))
    with pytest.raises(InputError, match=r"a\.jsonl:1: not an AIME answer"):
        load("aime", path=path)


def test_a_year_without_a_data_set_needs_a_file() -> None:
    with pytest.raises(InputError, match="no AIME of that year, got 1999"):
        load("aime", year=1999)


@pytest.mark.realdata
@pytest.mark.parametrize(("year", "first"), [(2024, ["73", "236", "45"]), (2025, ["70", "588", "16"])])
def test_the_real_files_hold_30_problems(data_dir: Path, year: int, first: list[str]) -> None:
    problems = load("aime", path=data_dir / "aime" / f"aime{year - 2000}_nemo.jsonl", year=year)
    assert len(problems) == 30
    assert [problem.answer for problem in problems[:3]] == first
