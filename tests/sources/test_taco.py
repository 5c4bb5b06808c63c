"""TACO: problems with tests, without steps."""

from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sandbox import values
from prmkit.sources import problem_id
from prmkit.sources.taco import tree_of
from prmkit.tree import Case, Problem, StepTree
from tests.sources.samples import CALLS, GOOD_ROWS

ROW = GOOD_ROWS["taco"]


def tree(change: dict[str, Any] | None = None, **options: Any) -> StepTree:
    found = tree_of(ROW | (change or {}), "f:1", **options)
    assert found is not None
    return found


def test_a_row_is_a_problem_with_the_name_of_its_site() -> None:
    assert tree() == StepTree(
        Problem(
            id=problem_id("taco", "Add."),
            prompt="Add.",
            domain="code",
            level="EASY",
            tests=(Case(input="1 2\n", output="3\n", public=True), Case(input="3 4\n", output="7\n", public=True)),
            input_file="input.txt",
            output_file="output.txt",
            rule="taco",
        ),
        meta={"source": "aizu"},
    )


def test_a_function_is_called_with_its_arguments_and_stands_below_the_question() -> None:
    found = tree({"input_output": CALLS, "starter_code": "\n\tdef add(a, b):\n"}).problem
    assert (found.entry_point, found.prompt) == ("add", "Add.\n\ndef add(a, b):")
    assert [(case.input, case.output) for case in found.tests] == [("[1, 2]", "[3]"), ("[3, 4]", "[7]")]
    assert (found.rule, found.input_file, found.output_file) == ("taco", None, None)


def test_integers_of_any_length_are_read() -> None:
    digits = "1" + "0" * 5000
    tests = f'{{"fn_name": "f", "inputs": [[{digits}]], "outputs": [1]}}'
    assert values.decode(tree({"input_output": tests}).problem.tests[0].input) == [10**5000]


def test_the_first_tests_are_kept_and_the_problem_stays_the_same() -> None:
    cut = tree(max_tests=1).problem
    assert (cut.tests, cut.id) == (tree().problem.tests[:1], tree().problem.id)


def test_a_model_is_asked_for_steps_and_a_program_where_the_recipe_says_so() -> None:
    assert tree(ask=True).problem.prompt.startswith("Add.\n\nSolve it step by step")
    assert tree(ask=True).problem.id == tree().problem.id


@pytest.mark.parametrize(
    "change",
    [
        {"input_output": None},
        {"input_output": ""},
        {"input_output": '{"inputs": [], "outputs": []}'},
        {"starter_code": "class Solution:\n  def f(self): ..."},
    ],
)
def test_a_problem_without_tests_that_fit_is_left_out(change: dict[str, Any]) -> None:
    assert tree_of(ROW | change, "f:1") is None


def test_a_class_whose_method_is_missing_is_no_program_that_reads_text() -> None:
    tests = '{"inputs": [[[1]]], "outputs": [[1]]}'
    with pytest.raises(InputError, match=r"^f:1: illegal test, got \[\[1\]\]"):
        tree({"starter_code": "class Solution:\n  def f(self, x): ...", "input_output": tests})


def test_a_class_whose_method_is_named_is_kept() -> None:
    found = tree({"input_output": CALLS, "starter_code": "class Solution:\n  def add(self, a, b): ..."})
    assert found.problem.entry_point == "add"


def test_what_a_row_does_not_say_is_nothing() -> None:
    found = tree({"difficulty": None, "source": None, "starter_code": None})
    assert (found.problem.level, found.meta) == (None, {"source": ""})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_output": '{"inputs": [1], "outputs": [2]}'}, "illegal test, got 1; expected the text"),
        ({"input_output": "[1]"}, r"illegal tests, got \[1\]; expected an object with inputs and outputs"),
        ({"input_output": '{"inputs": ["1"], "outputs": null}'}, "illegal tests, .*lists of inputs and outputs"),
        (
            {"input_output": '{"inputs": ["1"], "outputs": ["2"], "fn_name": 3}'},
            "illegal fn_name, got 3; expected the name",
        ),
        ({"input_output": "7" * 5000}, "illegal tests, got int that cannot be shown"),
        ({"input_output": 5}, "illegal input_output, got 5; expected JSON as text"),
        ({"input_output": '{"inputs": ["1"], "outputs": ["2"], "fn_name": ""}'}, "illegal fn_name, got ''"),
        ({"question": ""}, "the row has no question"),
    ],
)
def test_a_row_that_breaks_the_form(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^f:1: {message}"):
        tree_of(ROW | change, "f:1")
