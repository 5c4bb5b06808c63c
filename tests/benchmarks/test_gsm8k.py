import json
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError


def write(path: Path, *rationales: str) -> Path:
    path.write_text("".join(json.dumps({"question": "Q", "answer": text}) + "\n" for text in rationales))
    return path


def test_the_answer_stands_after_the_hashes_without_commas(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "48/2 = <<48/2=24>>24\n#### 72", "x\n#### 1,072", "x\n#### -5", "x\nA: 18")
    problems = load("gsm8k", path=path)
    assert [problem.answer for problem in problems] == ["72", "1072", "-5", "18"]
    assert [problem.id for problem in problems] == [f"gsm8k-test-{index}" for index in range(4)]


def test_a_rationale_without_an_answer_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "x\n#### 1", "48/2 = 24")
    with pytest.raises(InputError, match=r"a\.jsonl:2: the rationale has no answer"):
        load("gsm8k", path=path)
    with pytest.raises(InputError, match="unknown split"):
        load("gsm8k", path=path, split="validation")


@pytest.mark.realdata
def test_the_real_files_are_complete(data_dir: Path) -> None:
    test = load("gsm8k", path=data_dir / "gsm8k" / "test.jsonl")
    train = load("gsm8k", path=data_dir / "gsm8k" / "train.jsonl.gz", split="train")
    assert (len(test), len(train)) == (1319, 7473)
    assert (test[0].answer, train[0].answer) == ("18", "72")
    assert all(float(problem.answer or "x").is_integer() for problem in test)
