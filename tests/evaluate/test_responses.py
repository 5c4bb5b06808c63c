import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.evaluate.evaluation import evaluate_solutions, refuse_solutions
from prmkit.evaluate.responses import read_responses
from prmkit.grade.config import GradingConfig
from prmkit.row_files import local_rows
from prmkit.tree import Case, Problem, StepTree
from prmkit.trees_io import to_record
from tests.sources.test_hostile import mutated_line


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def evaluate(path: Path, problems: tuple[Problem, ...] = (), **grading: Any) -> dict[str, Any]:
    found = evaluate_solutions(read_responses(path, problems=problems).solutions, GradingConfig(**grading))
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
    first, second = read_responses(tmp_path / "a.jsonl").solutions[0].solutions
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
        ({"id": "a", "answer": "1"}, r"a\.jsonl:1: the row has no responses, got \['answer', 'id'\]"),
        ({"id": "a", "responses": []}, "illegal responses"),
        ({"id": "a", "responses": ["x"]}, "nothing to judge the responses by.*--benchmark"),
        ({"id": "a", "responses": ["x"], "answer": {"value": 1}}, r"a\.jsonl:1: illegal answer, got {'value': 1}"),
        (
            {"id": "a", "responses": ["x"], "answer": "1", "entry_point": "f"},
            "a program is judged by tests.*--benchmark",
        ),
        ({"id": "a", "answer": "1", "responses": ["x"], "scores": [1, 2]}, "scores and responses differ in number"),
        ({"id": "a", "answer": "1", "responses": ["x"], "scores": ["high"]}, "illegal score"),
        ({"id": "a", "answer": "1", "responses": ["x"], "scores": [[]]}, "illegal score"),
        ({"id": "a", "answer": "1", "responses": ["x"], "scores": [10**400]}, "illegal score"),
        ({"problem": ["p", "q"], "answer": ["1", "2"], "responses": [["x"], ["y"]]}, "illegal problem"),
        ({"id": "a", "responses": ["x"], "correct": ["yes"]}, "illegal correct"),
        ({"problem": {"id": "a", "colour": "red"}, "responses": ["x"]}, "not a tree"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, row: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_responses(write(tmp_path / "a.jsonl", row))


def test_scores_for_all_or_for_none(tmp_path: Path) -> None:
    bare = {"id": "c", "answer": "1", "response": "#### 1"}
    read = read_responses(write(tmp_path / "a.jsonl", *ROWS, bare))
    assert [each.problem.id for each in read.solutions] == ["a", "b"]
    assert [row["where"] for row in read.bad] == [f"{tmp_path}/a.jsonl:4"]
    assert "a row has no scores, and others have" in read.bad[0]["error"]
    others = [{**bare, "id": str(number)} for number in range(4)]
    read = read_responses(write(tmp_path / "b.jsonl", *ROWS, *others))
    assert [each.problem.id for each in read.solutions] == ["0", "1", "2", "3"]
    assert [row["where"].rpartition(":")[2] for row in read.bad] == ["1", "2", "3"]


def test_a_row_has_a_score_for_each_response_or_for_none(tmp_path: Path) -> None:
    row = {"problem": "1 + 1?", "answer": "2", "responses": ["#### 2", "#### 3"]}
    rows = [{**row, "id": "a", "scores": [None, None]}, {**row, "id": "b", "scores": [0.5, None]}]
    read = read_responses(write(tmp_path / "a.jsonl", *rows))
    assert [(each.problem.id, each.solutions[0].has_score) for each in read.solutions] == [("a", False)]
    assert "a.jsonl:2: a response has no score, and others have, got [0.5, None]" in read.bad[0]["error"]


def test_a_bad_row_is_set_aside_and_the_others_go_on(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = json.dumps({"id": "a", "problem": "1 + 1?", "answer": "2", "response": "#### 2"})
    path.write_text(f'{{"id": \n{good}\n[1]\n{{"id": "b", "response": "x"}}\n')
    read = read_responses(path)
    assert (read.read, [each.problem.id for each in read.solutions]) == (4, ["a"])
    assert [row["where"] for row in read.bad] == [f"{path}:{line}" for line in (1, 3, 4)]
    assert [row["row"] for row in read.bad] == ['{"id": ', "[1]", '{"id": "b", "response": "x"}']
    assert "not JSON" in read.bad[0]["error"]
    assert "nothing to judge the responses by, got ['id', 'response'" in read.bad[2]["error"]


def test_a_row_may_be_nested_as_deeply_as_it_likes(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    deep = "[" * 900 + '"x"' + "]" * 900
    path.write_text(
        f'{{"id": "a", "answer": "2", "responses": {deep}}}\n{{"id": "b", "answer": "2", "response": "x"}}\n'
    )
    read = read_responses(path)
    assert [each.problem.id for each in read.solutions] == ["b"]
    assert read.bad[0]["error"] == f"{path}:1: the row is nested too deeply"


def test_the_same_samples_under_another_filter_count_once_and_epochs_are_samples(tmp_path: Path) -> None:
    doc = {"doc_id": 0, "doc": {"question": "1 + 1?"}, "target": "2", "resps": [["#### 2", "#### 3"]]}
    path = write(tmp_path / "a.jsonl", {**doc, "filter": "strict-match"}, {**doc, "filter": "flexible-extract"})
    assert evaluate(path)["correct"] == {"0": [True, False]}
    assert read_responses(path).record().repeated == 1
    own = {"id": "a", "problem": "?", "answer": "2", "response": "#### 2"}
    path = write(tmp_path / "c.jsonl", {**own, "filter": "a"}, {**own, "filter": "b"})
    assert evaluate(path)["correct"] == {"a": [True, True]}  # a column of that name and another meaning
    sample = {"id": 1, "input": "1 + 1?", "target": "2"}
    path = write(
        tmp_path / "b.jsonl",
        *[
            {**sample, "epoch": epoch, "output": {"choices": [{"message": {"role": "assistant", "content": text}}]}}
            for epoch, text in ((1, "#### 2"), (2, "#### 3"))
        ],
    )
    assert evaluate(path)["correct"] == {"1": [True, False]}


def test_if_no_row_is_good_the_first_ones_fault_is_the_error(tmp_path: Path) -> None:
    rows = [{"id": "a", "response": "x"}, {"id": "b"}]
    message = r"a\.jsonl:1: nothing to judge the responses by.* \(none of 2 rows is good\)"
    with pytest.raises(InputError, match=message):
        read_responses(write(tmp_path / "a.jsonl", *rows))
    with pytest.raises(InputError, match="the file holds no row"):
        read_responses(write(tmp_path / "b.jsonl"))


def test_a_line_of_a_benchmark_names_a_problem_by_its_id_or_its_text(tmp_path: Path) -> None:
    rows = [{"problem": "1 + 1?", "response": "#### 2"}, {"id": "a", "response": "#### 3"}, {"response": "#### 2"}]
    read = read_responses(write(tmp_path / "a.jsonl", *rows), problems=[Problem(id="a", prompt="1 + 1?", answer="2")])
    (found,) = read.solutions
    assert [each.text for each in found.solutions] == ["#### 2", "#### 3"]
    assert "a.jsonl:3: the row names no problem, got ['response'" in read.bad[0]["error"]


def test_problems_of_a_benchmark_without_samples_are_told(tmp_path: Path) -> None:
    problems = [Problem(id=name, prompt=f"{name}?", answer="2") for name in "abc"]
    path = write(tmp_path / "a.jsonl", {"id": "b", "response": ""})
    read = read_responses(path, problems=problems)
    assert [each.problem.id for each in read.solutions] == ["b"]
    assert read.notes == ["2 of the benchmark's 3 problems have no samples and are in no figure, first 'a'"]
    rows = [{"id": name, "response": "#### 2"} for name in "abc"]
    assert read_responses(write(path, *rows), problems=problems).notes == []


def test_two_problems_of_one_id_are_two(tmp_path: Path) -> None:
    rows = [
        {"id": 0, "problem": "How many legs has a spider?", "answer": "8", "response": "\\boxed{8}"},
        {"id": 0, "problem": "How many days has a week?", "answer": 7, "response": "\\boxed{7}"},
        {"id": "0", "problem": "How many legs has a spider?", "answer": 8.0, "response": "\\boxed{6}"},
    ]
    path = write(tmp_path / "a.jsonl", *rows)
    read = read_responses(path)
    assert read.notes == [f"{path}:2: another problem than that of {path}:1 has its id; it is '0#2' here"]
    assert evaluate(path)["correct"] == {"0": [True, False], "0#2": [True]}


def test_rows_without_an_id_are_told_apart_by_text_and_answer_or_by_place(tmp_path: Path) -> None:
    figure = {"problem": "What is the answer to the problem in the figure?", "response": "\\boxed{8}"}
    rows = [
        {**figure, "answer": "8"},
        {**figure, "answer": "7"},
        {**figure, "answer": "8"},
        {"answer": 1, "output": "x"},
    ]
    read = read_responses(write(tmp_path / "a.jsonl", *rows))
    assert [len(each.solutions) for each in read.solutions] == [2, 1, 1]
    first, second, third = [each.problem.id for each in read.solutions]
    assert second == f"{first}#2"
    assert third == f"{tmp_path}/a.jsonl:4"
    named = write(tmp_path / "b.jsonl", *[{**row, "unique_id": name} for name, row in zip("abc", rows, strict=False)])
    assert [each.problem.id for each in read_responses(named).solutions] == ["a", "b", "c"]


def test_levels_and_subjects_are_grouped_whatever_their_columns(tmp_path: Path) -> None:
    row = {"problem": "1 + 1?", "answer": "2", "response": "#### 2"}
    rows = [
        {**row, "id": "a", "level": 3, "type": "Algebra"},
        {**row, "id": "b", "level": "Level 3", "subject": "Geometry"},
        {**row, "id": "c", "difficulty": "4", "subfield": "Geometry"},
    ]
    groups = evaluate(write(tmp_path / "a.jsonl", *rows))["groups"]
    assert {
        kind: {name: figures["pass@1"]["n"] for name, figures in group.items()} for kind, group in groups.items()
    } == {
        "level": {"3": 2, "4": 1},
        "subject": {"Algebra": 1, "Geometry": 2},
    }


def test_of_a_benchmark_s_problem_only_our_own_columns_say_another_group(tmp_path: Path) -> None:
    known = Problem(id="a", prompt="?", answer="2", level="5", subject="Algebra")
    row = {"id": "a", "response": "#### 2", "type": "instruct"}
    (one,) = read_responses(write(tmp_path / "a.jsonl", {**row, "difficulty": "?"}), problems=[known]).solutions
    (other,) = read_responses(write(tmp_path / "b.jsonl", {**row, "level": "Level 4"}), problems=[known]).solutions
    assert one.groups == {"level": "5", "subject": "Algebra", "domain": "math"}
    assert other.groups == {"level": "4", "subject": "Algebra", "domain": "math"}


@pytest.mark.parametrize("given", [[True, False], [1, 0], [1.0, 0.0]])
def test_verdicts_may_be_numbers(tmp_path: Path, given: list[object]) -> None:
    path = write(tmp_path / "a.jsonl", {"id": "a", "responses": ["x", "y"], "correct": given})
    assert evaluate(path)["correct"] == {"a": [True, False]}


def test_verdicts_of_another_tool_stand_in_where_there_is_nothing_to_judge_by(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        {"id": "a", "response": "x", "is_correct": True},
        {"id": "b", "response": "#### 2", "answer": "2", "is_correct": False},
    )
    assert evaluate(path)["correct"] == {"a": [True], "b": [True]}


def test_a_bare_answer_is_an_answer(tmp_path: Path) -> None:
    row = {"id": "a", "problem": "p", "answer": "1/2"}
    path = write(tmp_path / "a.jsonl", {**row, "preds": ["\\frac{1}{2}", "2", "It is:\n#### 1/2", ""]})
    assert evaluate(path)["correct"] == {"a": [True, False, True, False]}


def test_gold_answers_of_every_form_are_judged_by(tmp_path: Path) -> None:
    rows = [
        {"id": "list", "problem": "p", "answer": ["2", "3"], "responses": ["\\boxed{2,3}", "\\boxed{2}"]},
        {"id": "float", "problem": "p", "answer": 27.0, "responses": ["#### 27", "#### 28"]},
        {
            "id": "gsm8k",
            "question": "q",
            "answer": "7*4=<<7*4=28>>28\n#### 1,006",
            "responses": ["#### 1006", "#### 28"],
        },
        {"id": "worked", "problem": "p", "solution": "So \\boxed{5}.", "responses": ["\\boxed{5}", "\\boxed{6}"]},
    ]
    found = evaluate(write(tmp_path / "a.jsonl", *rows))["correct"]
    assert found == {name: [True, False] for name in ("list", "float", "gsm8k", "worked")}


ROW = {
    "id": "p1",
    "problem": "1 + 1?",
    "answer": "2",
    "level": "Level 1",
    "responses": ["It is 2.\n#### 2", "#### 3"],
    "scores": [[0.5, 0.25], [0.75]],
}
CHAT = [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "\\boxed{2}"}]
FOREIGN = (
    ROW,
    {
        "doc_id": 0,
        "doc": {"question": "1 + 1?", "answer": "#### 2"},
        "target": "2",
        "resps": [["#### 2"]],
        "filter": "a",
    },
    {"id": 1, "epoch": 1, "input": "1 + 1?", "target": "2", "output": {"choices": [{"message": CHAT[1]}]}},
    {"question": "1 + 1?", "gt": "2", "code": ["\\boxed{2}"], "pred": ["2"], "score": [True]},
    {"question_id": "q", "code_list": ["print(1)"], "graded_list": [True]},
    {"prompt": CHAT[:1], "reward_model": {"ground_truth": "2"}, "responses": ["\\boxed{2}"]},
    {"messages": CHAT, "answer": 2.0},
    {"problem": to_record(StepTree(DOUBLE))["problem"], "response": "def f(x): return 2 * x"},
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_mutated_rows_are_read_or_set_aside(seed: int, tmp_path: Path) -> None:
    mutated_rows_are_accounted_for(seed, 25, tmp_path)


@pytest.mark.slow
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_ten_thousand_mutated_rows(seed: int, tmp_path: Path) -> None:
    mutated_rows_are_accounted_for(seed, 25, tmp_path)


def mutated_rows_are_accounted_for(seed: int, lines: int, folder: Path) -> None:
    rng = random.Random(seed)
    path = folder / "hostile.jsonl"
    path.write_bytes(b"".join(mutated_line(rng.choice(FOREIGN), rng) + b"\n" for _ in range(lines)))
    written = sum(1 for _ in local_rows(path))
    try:
        read = read_responses(path)
    except InputError:  # no row is good
        return
    found = read.solutions
    names = [each.problem.id for each in found]
    assert len(set(names)) == len(names)
    assert read.read == written
    places = {row["where"] for row in read.bad}
    assert len(places) == len(read.bad)
    assert all(each.solutions and each.where not in places for each in found)
    assert read.read - len(read.bad) - read.repeated >= len(found)
    refuse_solutions(found, "last")


def test_a_thought_neither_votes_nor_is_graded(tmp_path: Path) -> None:
    said = ["<think>\\boxed{3} or \\boxed{2}</think>\n\\boxed{2}", "3?</think>\\boxed{2}", "<think>It is \\boxed{2}"]
    row = {"id": "a", "problem": "?", "answer": "2", "responses": said}
    (read,) = read_responses(write(tmp_path / "a.jsonl", row)).solutions
    assert [each.finished for each in read.solutions] == [True, True, False]
    assert [each.text for each in read.solutions[:2]] == ["\n\\boxed{2}", "\\boxed{2}"]
    result = evaluate(tmp_path / "a.jsonl")
    assert result["correct"] == {"a": [True, True, False]}
    given = write(tmp_path / "b.jsonl", {"id": "a", "responses": said, "correct": [True, False, True]})
    assert evaluate(given)["correct"] == {"a": [True, False, True]}
