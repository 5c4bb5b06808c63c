import gzip
import json

import pytest

from prmkit.benchmarks import load
from prmkit.grade.math import extraction, qwen
from tests.grade.math.official import rows


def verdict(gold: str, solution: str) -> bool:
    found = qwen.find(solution, gold)
    return found is not None and qwen.same(gold, found.text)


def test_pairs_are_judged_as_the_authors_functions_judge_them() -> None:
    facts = rows("pairs.json")
    assert len(facts) == 1500
    assert [row for row in facts if verdict(row[0], "\\boxed{" + row[1] + "}") != bool(row[3])] == []


@pytest.mark.realdata
def test_eight_verdicts_on_gsm8k_are_lenient_as_those_of_the_authors_are(data_dir) -> None:
    with gzip.open(data_dir / "gsm8k" / "example_model_solutions_first660.jsonl.gz") as file:
        problems = [json.loads(line) for line in file]
    judged = [
        (model["is_correct"], verdict(extraction.extract(row["ground_truth"]) or "", model["solution"]))
        for row in problems
        for model in row.values()
        if isinstance(model, dict)
    ]
    assert len(judged) == 2640
    assert [pair for pair in judged if pair[0] != pair[1]] == [(False, True)] * 8


@pytest.mark.realdata
def test_reference_solutions_of_math_are_right(data_dir) -> None:
    path = data_dir / "math" / "hendrycks_test_5000.jsonl.gz"
    with gzip.open(path) as file:
        solutions = [json.loads(line)["solution"] for line in file]
    golds = [problem.answer or "" for problem in load("math", path=path)]
    wrong = [gold for gold, solution in zip(golds, solutions, strict=True) if not verdict(gold, solution)]
    assert len(golds) == 5000
    assert wrong == ["12"]  # its solution goes on with a remark behind the box, which is read there
