import math
from typing import Any

import pytest

from prmkit.columns import (
    ID,
    first,
    gold_of,
    gold_text,
    id_of,
    level_of,
    problem_of,
    problem_text,
    said,
    spoken,
    subject_of,
)
from prmkit.errors import InputError
from prmkit.json_io import loads


@pytest.mark.parametrize("name", [name for name in ID if "." not in name])
def test_every_usual_name_of_an_id_is_known_in_any_case(name: str) -> None:
    assert id_of({"other": 1, name: "a"}) == id_of({name.upper(): "a"}) == "a"


@pytest.mark.parametrize("value", [7, 7.0, "7", " 7 "])
def test_a_number_and_its_text_are_one_id(value: object) -> None:
    assert id_of({"id": value}) == "7"


def test_zero_is_an_id_and_nothing_is_none() -> None:
    assert id_of({"id": 0}) == "0"
    assert id_of({"id": None, "idx": math.nan, "uid": " ", "task_id": ["a"], "doc_id": 3}) == "3"
    assert id_of({"problem": "p"}) is None


def test_a_name_is_tried_as_it_is_before_other_cases_and_within_columns() -> None:
    assert first({"ID": 1, "id": 2}, ("id",)) == ("id", 2)
    assert first({"Id": 1}, ("id",)) == ("Id", 1)
    assert first({"reward_model": {"ground_truth": "4"}}, ("gold", "reward_model.ground_truth")) == (
        "reward_model",
        "4",
    )
    assert first({"reward_model": "4"}, ("reward_model.ground_truth",)) == ("", None)


@pytest.mark.parametrize(
    "row",
    [
        {"problem": "1 + 1?"},
        {"Question": " 1 + 1?\n"},
        {"query": "1 + 1?", "prompt": "Question: 1 + 1?\nAnswer:"},
        {"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 1?"}]},
        {"messages": [], "input": [{"role": "user", "content": [{"type": "text", "text": "1 + 1?"}]}]},
    ],
)
def test_the_problem_has_many_names(row: dict[str, Any]) -> None:
    assert problem_of(row, "f:1") == "1 + 1?"


def test_what_a_question_is_about_stands_before_it() -> None:
    assert problem_text({"question": "How many?", "context": "Ten ducks."}) == "Ten ducks.\n\nHow many?"
    assert problem_text({"Question": "How many?", "Body": "Ten ducks."}) == "Ten ducks.\n\nHow many?"
    assert problem_text({"context": "Ten ducks."}) is None
    with pytest.raises(InputError, match=r"^f:1: the row has no problem, got \['context'\]"):
        problem_of({"context": "Ten ducks."}, "f:1")


def test_a_chat_says_what_its_last_turn_says() -> None:
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    assert (said(chat, "user"), said(chat, "assistant"), said(chat, "system")) == ("c", "b", None)
    assert said({"role": "user"}, "user") is None
    assert spoken([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "2"}, "x"]) == "2"
    assert spoken(None) == ""


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("72", "72"),
        ("72.0", "72"),
        ("0", "0"),
        ("0.1", "0.1"),
        ("true", "True"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ("1e400", "1" + "0" * 400),
        ("9" * 4301, "9" * 4301),
        ('" 2 "', "2"),
        ('["2", "3"]', "2, 3"),
        ('["$\\\\frac{1}{2}$"]', "\\frac{1}{2}"),
        ('["$69$,$84$"]', "69,84"),
        ("[1, 2.5, 27.0]", "1, 2.5, 27"),
        ('["(1,2)", "(3,4)"]', "(1,2), (3,4)"),
        ("\"['2', '3']\"", "2, 3"),  # a list as Python writes it, in a CSV file for example
        ('"[1, 2]"', "[1, 2]"),  # an interval
        ('"84/3=<<84/3=28>>28 days\\n#### 4"', "4"),
        ('"It is 2.\\n#### 1,006"', "1,006"),
        ('"84/3=28 #### 28\\nThe answer is: 28"', "28"),  # MetaMathQA
        ('"16 - 3 = 13\\nA: 18"', "18"),  # the published solutions of GSM8K
        ('"So it is four. The answer is 4."', "4"),
        ('"So $x=\\\\boxed{5}$."', "5"),
        ('"\\\\boxed{5}"', "5"),
        ('"[\'not, closed"', "['not, closed"),
    ],
    ids=lambda text: text[:20],
)
def test_a_gold_answer_has_any_of_the_usual_forms(written: str, text: str) -> None:
    assert gold_text(loads(written.encode()), "f:1") == text


@pytest.mark.parametrize(
    "value", [{"value": "1"}, [], [[1]], [None], ["1", None], [{"value": 1}], None, math.inf, "", " ", "$$"]
)
def test_an_unknown_form_is_an_error_that_names_the_row(value: object) -> None:
    with pytest.raises(InputError, match=r"^f:1: illegal gold, got "):
        gold_text(value, "f:1", "gold")


@pytest.mark.parametrize(
    "row",
    [
        {"answer": "4"},
        {"final_answer": ["4"]},
        {"answer": None, "expected_answer": 4},
        {"answer": math.nan, "gt": "4"},
        {"ground_truth": 4.0},
        {"reward_model": {"style": "rule", "ground_truth": "4"}},
        {"Answer": "4"},
        {"solution": "It is \\boxed{4}."},
        {"gt_cot": "It is 4.\n#### 4"},
        {"answer": "4", "solution": "It is \\boxed{5}."},
    ],
)
def test_the_gold_answer_has_many_names(row: dict[str, Any]) -> None:
    assert gold_of(row, "f:1") == "4"


def test_no_answer_is_none() -> None:
    assert gold_of({"problem": "p", "solution": "It is small.", "answer": ""}, "f:1") is None


@pytest.mark.parametrize(
    ("row", "gold"),
    [
        ({"answer": 2, "choices": ["1", "2", "4", "8"]}, "C"),
        ({"answer": 2.0, "choices": ["1", "2", "4", "8"]}, "C"),
        ({"answer": "0", "choices": ["Rome", "Bern"]}, "A"),
        ({"answer": "2", "choices": ["1", "2"]}, "(B) 2"),
        ({"answer": 2, "choices": ["1", "2"]}, "2"),
        ({"answer": "B", "options": ["Rome", "Bern"]}, "B"),
        ({"answer": "Bern", "options": {"A": "Rome", "B": "Bern"}}, "(B) Bern"),
        ({"answer": "Bern", "options": ["Bern", "Rome", "Bern"]}, "Bern"),
        ({"answerKey": "2", "choices": {"text": ["Rome", "Bern"], "label": ["1", "2"]}}, "2"),
        ({"answer": 5, "options": {"temperature": 0.7, "seed": 5}}, "5"),
        ({"answer": 5, "options": {}}, "5"),
        ({"answer": 5, "choices": [None, {"message": "x"}]}, "5"),
    ],
)
def test_a_gold_answer_that_names_a_choice_is_its_letter(row: dict[str, Any], gold: str) -> None:
    assert gold_of(row, "f:1") == gold


@pytest.mark.parametrize(
    ("row", "level"),
    [
        ({"level": 3}, "3"),
        ({"level": "3"}, "3"),
        ({"level": 3.0}, "3"),
        ({"level": "Level 3"}, "3"),
        ({"Level": "level_3"}, "3"),
        ({"level": "Level ?"}, "?"),
        ({"difficulty": "hard"}, "hard"),
        ({"level": None, "difficulty": 5}, "5"),
        ({"metadata": {"level": "Level 1"}}, "1"),
        ({"level": "Level"}, "Level"),
        ({"level": {}}, None),
        ({}, None),
    ],
)
def test_a_level_is_one_under_any_name_and_form(row: dict[str, Any], level: str | None) -> None:
    assert level_of(row) == level


@pytest.mark.parametrize("name", ["subject", "subfield", "category", "topic", "problem_type", "type", "Type"])
def test_a_subject_has_many_names(name: str) -> None:
    assert subject_of({name: "Algebra"}) == "Algebra"


def test_several_subjects_are_one_name() -> None:
    assert subject_of({"topics": ["Algebra", None, "Geometry"]}) == "Algebra, Geometry"
    assert subject_of({"subject": [], "type": ""}) is None
