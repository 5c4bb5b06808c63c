import json
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.evaluation import evaluate_solutions
from prmkit.evaluate.responses import read_responses
from prmkit.grade.config import GradingConfig
from prmkit.tree import Case, Problem, StepTree
from prmkit.trees_io import to_record


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def evaluate(path: Path, problems: tuple[Problem, ...] = (), **grading: object) -> dict[str, object]:
    found = evaluate_solutions(read_responses(path, problems=problems), GradingConfig(**grading))  # type: ignore[arg-type]
    return found.as_json()


ROWS = (
    {
        "id": "a",
        "problem": "?",
        "answer": "2",
        "level": 1,
        "responses": ["#### 2", "#### 3"],
        "scores": [[0.9, 0.2], 0.4],
    },
    {"id": "b", "problem": "?", "answer": "4", "level": 2, "response": "#### 4", "score": 0.7},
    {"id": "b", "problem": "?", "answer": "4", "level": 2, "response": "no answer", "score": 0.1},
)


def test_figures_by_hand_and_by_level(tmp_path: Path) -> None:
    result = evaluate(write(tmp_path / "a.jsonl", *ROWS))
    assert result["problems"] == 2  # the two lines of b are together
    selection = result["selection"]
    # a: the right one has the worse (last) score. b: the right one the better; the other does not vote.
    assert selection["pass@1"]["value"] == 0.5
    assert selection["prm@2"]["value"] == 0.5
    assert selection["maj@2"]["value"] == pytest.approx((0.5 + 1) / 2)
    assert result["groups"]["level"]["1"]["prm@2"]["value"] == 0
    assert result["groups"]["level"]["2"]["prm@2"]["value"] == 1
    assert result["correct"] == {"a": [True, False], "b": [True, False]}
    assert result["rules"]["prm@2"] == {"a": 0.0, "b": 1.0}
    first, second = read_responses(tmp_path / "a.jsonl")[0].solutions
    assert (first.step_scores, first.scored("min"), first.scored("last")) == ((0.9, 0.2), 0.2, 0.2)
    assert (second.step_scores, second.scored("min")) == ((), 0.4)


def test_given_verdicts_need_no_answer(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"id": "a", "responses": ["x", "y", "z"], "correct": [True, True, False]})
    result = evaluate(path)
    assert result["selection"]["pass@1"]["value"] == pytest.approx(2 / 3)
    assert result["selection"]["maj@3"]["value"] == 1.0
    assert "prm@3" not in result["selection"]


DOUBLE = Problem(
    id="double", prompt="?", domain="code", entry_point="f", tests=(Case(input="[2]", output="4", public=True),)
)


def test_programs_by_a_benchmark_or_by_the_problem_in_the_line(tmp_path: Path) -> None:
    programs = ["def f(x): return 2 * x", "def f(x): return x + x", "def f(x): return x * 3", "def f(x): return 3 * x"]
    named = evaluate(write(tmp_path / "a.jsonl", {"id": "double", "responses": programs}), (DOUBLE,))
    record = to_record(StepTree(DOUBLE))["problem"]
    carried = evaluate(write(tmp_path / "b.jsonl", {"problem": record, "responses": programs}))
    assert named == carried
    assert named["correct"] == {"double": [True, True, False, False]}
    assert named["selection"]["maj@4"]["value"] == 0.5  # two against two by behaviour
    assert "rlimits" in named["isolation"]
    text = evaluate(tmp_path / "a.jsonl", (DOUBLE,), vote="text")
    assert text["selection"]["maj@4"]["value"] == 0.5  # four texts, two of them right


def test_another_grader_is_another_relation(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"id": "a", "problem": "?", "answer": "50", "response": "\\boxed{0.5}"})
    assert evaluate(path)["selection"]["pass@1"]["value"] == 0
    assert evaluate(path, grader="qwen")["selection"]["pass@1"]["value"] == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "a", "answer": "1"}, r"a\.jsonl:1: illegal responses"),
        ({"id": "a", "responses": []}, "illegal responses"),
        ({"id": "a", "responses": ["x"]}, "nothing to judge the responses by.*--benchmark"),
        ({"responses": ["x"], "answer": "1"}, "names no problem"),
        ({"id": "a", "answer": "1", "responses": ["x"], "scores": [1, 2]}, "scores and responses differ in number"),
        ({"id": "a", "answer": "1", "responses": ["x"], "scores": ["high"]}, "illegal score"),
        ({"id": "a", "answer": "1", "responses": ["x"], "scores": [[]]}, "illegal score"),
        ({"id": "a", "responses": ["x"], "correct": ["yes"]}, "illegal correct"),
        ({"problem": {"id": "a", "colour": "red"}, "responses": ["x"]}, "not a tree"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, row: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_responses(write(tmp_path / "a.jsonl", row))


def test_scores_for_all_or_for_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", ROWS[0], {"id": "c", "answer": "1", "response": "#### 1"})
    with pytest.raises(InputError, match=r"a\.jsonl:2: a row has no scores, and others have"):
        read_responses(path)
    with pytest.raises(InputError, match="the benchmark has no such problem, got 'c'"):
        read_responses(path, problems=[Problem(id="a", prompt="?", answer="2")])


def test_a_line_of_a_benchmark_needs_the_id_of_a_problem(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"problem": "1 + 1?", "response": "#### 2"})
    with pytest.raises(InputError, match=r"a\.jsonl:1: the row names no problem, got \['problem', 'response'\]"):
        read_responses(path, problems=[Problem(id="a", prompt="1 + 1?", answer="2")])


def test_one_id_is_one_problem(tmp_path: Path) -> None:
    rows = [{"id": "p", "problem": text, "answer": "2", "response": "#### 2"} for text in ("1 + 1?", "3 - 1?")]
    with pytest.raises(InputError, match=r"a\.jsonl:2: two problems have one id: another stands at .*a\.jsonl:1"):
        read_responses(write(tmp_path / "a.jsonl", *rows))


def test_a_thought_neither_votes_nor_is_graded(tmp_path: Path) -> None:
    said = ["<think>\\boxed{3} or \\boxed{2}</think>\n\\boxed{2}", "3?</think>\\boxed{2}", "<think>It is \\boxed{2}"]
    (read,) = read_responses(write(tmp_path / "a.jsonl", {"id": "a", "problem": "?", "answer": "2", "responses": said}))
    assert [each.finished for each in read.solutions] == [True, True, False]
    assert [each.text for each in read.solutions[:2]] == ["\n\\boxed{2}", "\\boxed{2}"]
    result = evaluate(tmp_path / "a.jsonl")
    assert result["correct"] == {"a": [True, True, False]}
    given = write(tmp_path / "b.jsonl", {"id": "a", "responses": said, "correct": [True, False, True]})
    assert evaluate(given)["correct"] == {"a": [True, False, True]}
