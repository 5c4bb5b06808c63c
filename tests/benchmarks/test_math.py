import json
from collections import Counter
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError


def test_the_answer_is_the_last_box_of_the_solution(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    row = {"problem": "P", "level": "Level 3", "type": "Algebra", "solution": "\\boxed{1} or \\boxed{\\frac12}"}
    path.write_text(json.dumps(row))
    (problem,) = load("math", path=path)
    assert (problem.id, problem.answer, problem.level, problem.subject) == ("math-test-0", "\\frac12", "3", "Algebra")
    path.write_text(json.dumps({**row, "solution": "none"}))
    with pytest.raises(InputError, match=r"a\.jsonl:1: the row has no answer"):
        load("math", path=path)


@pytest.mark.parametrize(("given", "answer"), [("7", "7"), (0, "0"), (1.0, "1"), (None, "2"), ("", "2")])
def test_a_row_may_give_its_answer(tmp_path: Path, given: object, answer: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"problem": "P", "solution": "\\boxed{2}", "answer": given}))
    assert [problem.answer for problem in load("math", path=path)] == [answer]


def test_the_hub_is_read_subject_by_subject_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def hub(name: str, config: str, *, split: str, streaming: bool) -> list[dict[str, str]]:
        return [{"problem": f"{config} {index}", "solution": "\\boxed{1}", "type": config} for index in range(2)]

    monkeypatch.setattr(datasets, "load_dataset", hub)
    assert [problem.prompt for problem in load("math", limit=3)] == [
        "algebra 0", "algebra 1", "counting_and_probability 0"
    ]  # fmt: skip
    assert len(load("math")) == 14


@pytest.mark.realdata
def test_the_real_test_set(data_dir: Path) -> None:
    problems = load("math", path=data_dir / "math" / "hendrycks_test_5000.jsonl.gz")
    assert len(problems) == 5000
    assert Counter(problem.level for problem in problems)["5"] == 1324
    assert len({problem.subject for problem in problems}) == 7
