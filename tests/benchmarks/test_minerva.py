import json
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError
from tests.contracts.benchmark import check_benchmark

ROW = {
    "problem": "Find the diameter of the image in $\\mathrm{cm}$.",
    "solution": "It is $s=\\alpha f$, so\n\\[\ns=\\boxed{1.6} \\mathrm{~cm}\n\\]",
    "type": "Introduction to Astronomy",
    "idx": 3,
}


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_answer_stands_in_the_box_of_the_solution(tmp_path: Path) -> None:
    hub = {"question": "What is the magnitude?", "answer": "20.39"}
    first, second = load("minerva", path=write(tmp_path / "a.jsonl", ROW, hub))
    assert (first.id, first.answer, first.subject) == ("minerva-3", "1.6", "Introduction to Astronomy")
    assert (second.id, second.prompt, second.answer) == ("minerva-1", "What is the magnitude?", "20.39")


def test_a_solution_without_a_box_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.jsonl:1: the row has no answer"):
        load("minerva", path=write(tmp_path / "a.jsonl", {**ROW, "solution": "It is small."}))


def test_the_contract(tmp_path: Path) -> None:
    answers = ["1.6", "4.5e33", "41.8", "x^2", "np.arcsin(10/13)", "E", "7"]
    rows = [{**ROW, "solution": f"So \\boxed{{{answer}}}", "idx": number} for number, answer in enumerate(answers)]
    check_benchmark("minerva", path=write(tmp_path / "a.jsonl", *rows))
