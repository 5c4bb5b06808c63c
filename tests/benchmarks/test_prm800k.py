import json
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError


def test_both_kinds_of_rows_give_each_problem_once(tmp_path: Path) -> None:
    split = {"problem": "P", "answer": "1", "unique_id": "test/a/1.json", "level": 2, "subject": "Algebra"}
    labelled = {"question": {"problem": "Q", "ground_truth_answer": "2"}, "label": {}}
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (split, labelled, labelled)))
    problems = load("prm800k", path=path)
    assert [(problem.prompt, problem.answer, problem.level) for problem in problems] == [
        ("P", "1", "2"),
        ("Q", "2", None),
    ]
    assert problems[0].id == "test/a/1.json"
    path.write_text(json.dumps({"question": {"problem": "Q"}}))
    with pytest.raises(InputError, match="no ground_truth_answer"):
        load("prm800k", path=path)


@pytest.mark.realdata
def test_real_labelled_rows(data_dir: Path) -> None:
    problems = load("prm800k", path=data_dir / "prm800k_raw" / "openr_samples_prm800k.jsonl")
    assert 1 <= len(problems) <= 6
    assert all(problem.answer for problem in problems)
