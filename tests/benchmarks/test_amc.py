import json
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError
from tests.contracts.benchmark import check_benchmark

ROW = {"id": 0, "problem": "How many miles?", "answer": 27.0, "url": "https://example.org/2023_AMC_12A"}


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("row", "name", "answer"),
    [
        (ROW, "amc-0", "27"),  # the hub's
        ({**ROW, "question": "How many miles?"}, "amc-0", "27"),  # Qwen2.5-Math's
        ({"question": "How many miles?", "answer": "-1"}, "amc-0", "-1"),
        ({"ID": "2023-12A-4", "Problem": "How many miles?", "Answer": 18}, "2023-12A-4", "18"),
    ],
)
def test_every_schema_in_use_is_read(tmp_path: Path, row: dict[str, object], name: str, answer: str) -> None:
    (problem,) = load("amc", path=write(tmp_path / "a.jsonl", row))
    assert (problem.id, problem.prompt, problem.answer) == (name, "How many miles?", answer)


def test_a_row_without_an_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.jsonl:2: the row has no answer"):
        load("amc", path=write(tmp_path / "a.jsonl", ROW, {**ROW, "answer": None}))


def test_the_contract(tmp_path: Path) -> None:
    rows = [{**ROW, "id": number, "answer": float(number)} for number in range(8)]
    check_benchmark("amc", path=write(tmp_path / "a.jsonl", *rows))
