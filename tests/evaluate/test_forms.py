from pathlib import Path
from typing import Any

import pytest

from prmkit.columns import gold_of, id_of, problem_text
from prmkit.errors import InputError
from prmkit.evaluate.forms import FORMS, RESPONSES, given_in, holds_samples, sample_rows, texts_of

ASKED, SAID = {"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "\\boxed{2}"}
SAMPLE = {
    "id": 7,
    "epoch": 1,
    "input": "1 + 1?",
    "target": "2",
    "output": {"model": "m", "choices": [{"message": SAID, "stop_reason": "stop"}], "completion": "\\boxed{2}"},
    "scores": {"match": {"value": "C", "answer": "2"}},
}
HARNESS = {
    "doc_id": 7,
    "doc": {"question": "1 + 1?", "answer": "1 + 1 = 2\n#### 2"},
    "target": "1 + 1 = 2\n#### 2",
    "arguments": [["Question: 1 + 1?\nAnswer:", {"until": ["Question:"]}]],
    "resps": [["\\boxed{2}", "3"]],
    "filtered_resps": ["2"],
    "filter": "strict-match",
    "exact_match": 1.0,
}


@pytest.mark.parametrize(
    ("row", "texts"),
    [
        (HARNESS, ["\\boxed{2}", "3"]),
        (SAMPLE, ["\\boxed{2}"]),
        ({**SAMPLE, "input": [ASKED], "target": ["2"]}, ["\\boxed{2}"]),
        (
            {"idx": 7, "question": "1 + 1?", "gt_cot": "None", "gt": "2", "answer": 2.0, "code": ["\\boxed{2}", "3"]}
            | {"pred": ["2", "3"], "score": [True, False]},
            ["\\boxed{2}", "3"],
        ),
        ({"id": 7, "input": "1 + 1?", "output": "\\boxed{2}", "gts": "2", "score": 1.0, "step": 0}, ["\\boxed{2}"]),
        ({"id": 7, "messages": [ASKED, SAID], "answer": "2"}, ["\\boxed{2}"]),
        ({"id": 7, "prompt": [ASKED], "completion": [SAID], "ground_truth": "2"}, ["\\boxed{2}"]),
        (
            {"prompt": [ASKED], "reward_model": {"style": "rule", "ground_truth": "2"}, "extra_info": {"index": 7}}
            | {"responses": ["\\boxed{2}", "3"]},
            ["\\boxed{2}", "3"],
        ),
        ({"id": 7, "problem": "1 + 1?", "answer": "2", "solution": "1 + 1", "response": "\\boxed{2}"}, ["\\boxed{2}"]),
        ({"id": 7, "prompt": "1 + 1?", "response": "\\boxed{2}", "ground_truth": 2}, ["\\boxed{2}"]),
        ({"id": 7, "problem": "1 + 1?", "expected_answer": "2", "generation": "\\boxed{2}"}, ["\\boxed{2}"]),
        (
            {"custom_id": 7, "question": "1 + 1?", "answer": "2"}
            | {"response": {"status_code": 200, "body": {"choices": [{"index": 0, "message": SAID}]}}},
            ["\\boxed{2}"],
        ),
        (
            {"id": "batch_req_1", "custom_id": 7, "question": "1 + 1?", "answer": "2"}
            | {"response": {"status_code": 200, "body": {"choices": [{"index": 0, "message": SAID}]}}},
            ["\\boxed{2}"],
        ),
        ({"doc_id": 7, "doc": {"question": "1 + 1?", "answer": "2"}, "target": "", "resps": [["2"]]}, ["2"]),
    ],
)
def test_problem_gold_answer_and_responses_of_a_foreign_row(row: dict[str, Any], texts: list[str]) -> None:
    given = given_in(row, "f:1")
    assert given.responses == texts
    assert (id_of(given.row), problem_text(given.row), gold_of(given.row, "f:1")) == ("7", "1 + 1?", "2")


@pytest.mark.parametrize(
    ("row", "texts", "verdicts"),
    [
        ({"task_id": "HumanEval/0", "solution": "def f(): pass\n"}, ["def f(): pass\n"], None),
        ({"task_id": "HumanEval/0", "completion": "    return 1\n", "passed": True}, ["    return 1\n"], True),
        (
            {"question_id": "abc300_a", "output_list": ["```python\n1\n```", ""], "code_list": ["1", ""]}
            | {"graded_list": [True, False], "pass@1": 0.5},
            ["1", ""],
            [True, False],
        ),
        (SAMPLE, ["\\boxed{2}"], [True]),
        ({**SAMPLE, "scores": {"model_graded": {"value": "P"}}}, ["\\boxed{2}"], None),
    ],
)
def test_programs_and_the_verdicts_of_others(row: dict[str, Any], texts: list[str], verdicts: object) -> None:
    given = given_in(row, "f:1")
    assert (given.responses, given.verdicts) == (texts, verdicts)


@pytest.mark.parametrize(
    ("row", "gold"),
    [
        ({"gt": "4:30p..", "answer": "4:30 p.m."}, "4:30 p.m."),
        ({"gt": "18", "answer": "16 - 3 = 13\n#### 18"}, "18"),
        ({"gt": "C", "answer": 2, "choices": ["1", "2", "4", "8"]}, "C"),
        ({"gt": "A", "answer": "-2"}, "A"),
        ({"gt": "2,3"}, "2,3"),
    ],
)
def test_the_gold_answer_of_qwens_rows_is_the_one_that_was_not_cleaned(row: dict[str, Any], gold: str) -> None:
    assert gold_of(given_in({"code": ["x"], **row}, "f:1").row, "f:1") == gold


def test_a_reward_or_verdict_of_another_tool_is_no_score_of_a_prm() -> None:
    for row in (
        {"question": "q", "gt": "2", "code": ["2"], "score": [True]},
        {"input": "q", "output": "2", "gts": "2", "score": 1.0},
        SAMPLE,
    ):
        assert not {"score", "scores"} & given_in(row, "f:1").row.keys()


def test_long_texts_of_inspect_stand_among_the_attachments() -> None:
    attached = {"ab12": "1 + 1?", "cd34": "\\boxed{2}"}
    message = {"role": "assistant", "content": "attachment://cd34"}
    row = {**SAMPLE, "input": "tc://ab12", "output": {"choices": [{"message": message}]}, "attachments": attached}
    given = given_in(row, "f:1")
    assert (problem_text(given.row), given.responses) == ("1 + 1?", ["\\boxed{2}"])


@pytest.mark.parametrize("name", RESPONSES)
def test_every_usual_name_of_the_responses_is_known(name: str) -> None:
    given = given_in({"id": "a", "answer": "2", name: ["x", "y"]}, "f:1")
    assert given.responses == ["x", "y"]
    assert given.extracted == name.startswith("pred")


@pytest.mark.parametrize(
    ("row", "texts"),
    [
        ({"response": ""}, [""]),
        ({"completion": " \n"}, [" \n"]),
        ({"response": None, "output": ""}, [""]),
        ({"response": "", "output": "x"}, ["x"]),
        ({"task_id": "a", "solution": ""}, [""]),
        ({"task_id": "a", "completion": "", "solution": "x"}, ["x"]),
    ],
)
def test_a_model_that_said_nothing_has_answered(row: dict[str, Any], texts: list[str]) -> None:
    assert given_in(row, "f:1").responses == texts


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "a", "reply": "x"}, r"the row has no responses, got \['id', 'reply'\]; expected responses, response, "),
        ({"task_id": "a", "solution": "So 2.", "answer": "2"}, "the row has no responses"),  # the row of a data set
        ({**HARNESS, "resps": [[["-1.5", "False"]], [["-0.5", "True"]]]}, "log-likelihoods are no responses"),
        ({**HARNESS, "target": ["2", "two"]}, "several targets, of which any is right, got"),
        ({**SAMPLE, "output": {"choices": []}, "error": {"message": "boom"}}, "the sample has no output, got .*boom"),
        ({"messages": [ASKED], "answer": "2"}, "illegal responses"),
        ({"response": None, "answer": "2"}, "the row has no responses"),
        ({"responses": [], "answer": "2"}, r"illegal responses, got \[\]"),
        ({"responses": ["x", None], "answer": "2"}, "illegal responses, got None"),
        ({"responses": [True], "answer": "2"}, "illegal responses, got True"),
        ({"responses": {"x": "y"}, "answer": "2"}, "illegal responses"),
    ],
)
def test_what_holds_no_responses_is_told(row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^f:1: {message}"):
        given_in(row, "f:1")


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("x", ["x"]),
        (2.0, ["\\boxed{2}"]),
        ([ASKED, SAID], ["\\boxed{2}"]),
        ([[ASKED, SAID], [SAID]], ["\\boxed{2}", "\\boxed{2}"]),
        ([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "2"}], ["2"]),
        ([{"generated_text": "a"}, {"generated_text": "b"}], ["a", "b"]),
        ({"outputs": [{"text": "a"}, {"text": "b"}]}, ["a", "b"]),
        ({"role": "assistant", "content": "a", "reasoning_content": "hm"}, ["a"]),
    ],
)
def test_replies_are_texts(given: object, texts: list[str]) -> None:
    assert texts_of(given, "f:1") == texts


def test_forms_have_names_of_their_own() -> None:
    assert len({form.name for form in FORMS}) == len(FORMS)


def test_a_folder_of_programs_is_a_row_a_program(tmp_path: Path) -> None:
    assert not holds_samples(tmp_path)
    for task, number, text in (("HumanEval_10", 0, "c"), ("HumanEval_2", 0, "a"), ("HumanEval_2", 1, "b")):
        (tmp_path / task).mkdir(exist_ok=True)
        (tmp_path / task / f"{number}.py").write_text(text)
    rows = [raw.parse() for raw in sample_rows(tmp_path)]
    assert [(row["task_id"], row["solution"]) for row in rows] == [
        ("HumanEval/2", "a"),
        ("HumanEval/2", "b"),
        ("HumanEval/10", "c"),
    ]
    assert holds_samples(tmp_path)
