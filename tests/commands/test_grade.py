import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import Answer
from tests.recipe.stages.searched import search_run

ROWS = [
    {"id": "sum", "problem": "2 + 3?", "answer": "5", "responses": ["The answer is **5**.", "#### 6", "five"]},
    {"id": "half", "problem": "0.5?", "answer": "50", "responses": ["So 0.5"]},
]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return file


def table(answer: Answer) -> dict[str, str]:
    assert answer.code == 0, answer.err
    return dict(line.split(maxsplit=1) for line in answer.out.splitlines()[1:])


def test_what_is_found_in_a_text_is_shown_with_its_rule_and_the_verdict(prmkit: Callable[..., Answer]) -> None:
    right = prmkit("grade", "--text", "The answer is **5**.", "--gold", "5.0")
    assert table(right) == {"found": "5", "rule": "declaration", "right": "True", "gold": "5.0"}


def test_of_a_wrong_answer_both_sides_are_shown_as_they_were_compared(prmkit: Callable[..., Answer]) -> None:
    wrong = prmkit("grade", "--text", r"So \boxed{\dfrac12}.", "--gold", "5.0")
    found = {"found": r"\dfrac12", "rule": "box", "right": "False", "gold": "5.0"}
    assert table(wrong).items() >= found.items()
    printed = json.loads(prmkit("grade", "--text", r"So \boxed{\dfrac12}.", "--gold", "5.0", "--json").out)
    assert printed["compared"]["gold"] == "5"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"#### 5", "5"),
        (b"<think>5</think>#### 6", "6"),
        (b"<think>#### 5", None),
        (b"A: \xff5", "\ufffd5"),
    ],
)
def test_a_text_may_come_from_standard_input(
    prmkit: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch, text: bytes, found: str | None
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    printed = json.loads(prmkit("grade", "--text", "-", "--gold", "5", "--json").out)
    assert (printed["found"], printed["right"]) == (found, found == "5")


def test_where_nothing_is_found_it_says_so(prmkit: Callable[..., Answer]) -> None:
    shown = table(prmkit("grade", "--text", "It is 5", "--gold", "5"))
    assert shown == {"found": "nothing", "rule": "nothing", "right": "False", "gold": "5"}


def test_no_control_character_reaches_the_terminal(prmkit: Callable[..., Answer], rows: Path) -> None:
    rows.write_text(json.dumps({**ROWS[0], "responses": ["The answer is 5\x1b[31m"]}) + "\n")
    for answer in (prmkit("grade", rows), prmkit("grade", "--text", "The answer is 5\x1b[31m", "--gold", "5")):
        assert answer.code == 0, answer.err
        assert "\x1b" not in answer.out
        assert r"5\x1b[31m" in answer.out


def test_a_file_of_rows_is_graded_row_by_row(prmkit: Callable[..., Answer], rows: Path) -> None:
    shown = [line.split() for line in prmkit("grade", rows).out.splitlines()]
    assert shown[:4] == [
        ["problem", "solution", "right", "rule", "found", "gold"],
        ["sum", "0", "True", "declaration", "5", "5"],
        ["sum", "1", "False", "####", "x", "6", "5"],
        ["sum", "2", "False", "5"],
    ]
    assert shown[-1] == ["1", "of", "4", "are", "right"]
    printed = json.loads(prmkit("grade", rows, "--json", "--grader", "qwen").out)
    assert printed[-1]["right"]  # it takes the last number, and 0.5 for 50 %
    assert printed[-1]["rule"] == "last number"


def test_a_program_is_judged_by_the_problem_that_its_row_holds(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    double = {"id": "double", "prompt": "?", "domain": "code", "entry_point": "f", "rule": "calls"}
    tests = [{"input": "[2]", "output": "4", "public": True}]
    file.write_text(json.dumps({"problem": {**double, "tests": tests}, "responses": ["def f(x): return 2 * x"]}) + "\n")
    (verdict,) = json.loads(prmkit("grade", file, "--json").out)
    assert verdict["right"]
    assert "gold" not in verdict


def test_a_search_is_graded_as_it_was_searched(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", [[("4", 0.9), ("5", 0.2)]])
    verdicts = json.loads(prmkit("grade", run, "--json").out)
    assert [(each["found"], each["right"]) for each in verdicts] == [("4", True), ("5", False)]
    assert json.loads(prmkit("grade", run / "trees.jsonl", "--json").out) == verdicts


def test_a_problem_of_a_benchmark_is_named_by_its_id(prmkit: Callable[..., Answer]) -> None:
    named = ("grade", "--text", "The answer is 3.", "--benchmark", "synthetic-math", "--json")
    assert json.loads(prmkit(*named, "--problem", "synthetic-math/test/0/0").out)["found"] == "3"
    unknown = prmkit(*named, "--problem", "synthetic-maths/test/0/0")
    assert (unknown.code, unknown.out) == (2, "")
    assert "no such problem, got 'synthetic-maths/test/0/0'. Did you mean synthetic-math/test/0/0?" in unknown.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to grade, or two things. Give a FILE"),
        (("rows.jsonl", "--text", "5"), "nothing to grade, or two things"),
        (("--text", "5"), "nothing to judge the text by, or two things. Give --gold"),
        (("--text", "5", "--gold", "5", "--problem", "a"), "nothing to judge the text by, or two things"),
        (("--text", "5", "--gold", "5", "--problems", "a.jsonl"), "a file of problems without its benchmark"),
        (("gone.jsonl",), "gone.jsonl: no such run folder or file"),
    ],
)
def test_what_cannot_be_graded_is_refused_with_its_reason(
    prmkit: Callable[..., Answer], arguments: tuple[str, ...], message: str
) -> None:
    answer = prmkit("grade", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
