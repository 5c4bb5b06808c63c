"""APPS: problems with tests, without steps."""

import json
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sources import problem_id
from prmkit.sources.apps import tree_of
from prmkit.sources.corpus import Corpus
from prmkit.tree import Case, Problem
from tests.sources.samples import GOOD_ROWS, TESTS

ROW = GOOD_ROWS["apps"]
CONVERTED = {
    "description": "Add.",
    "starter_code": "import math\n\ndef add(a, b):\n\t",
    "difficulty": "interview",
    "sample_io": [{"input": "1\n2", "output": [3]}],
    "test_list": [{"input": "[3]\n'4'", "output": [7]}],
}


def problem(change: dict[str, Any] | None = None, row: dict[str, Any] = ROW, **options: Any) -> Problem:
    tree = tree_of(row | (change or {}), "f:1", **options)
    assert tree is not None
    assert len(tree) == 0
    return tree.problem


def test_a_row_is_a_problem_that_ends_in_the_code_it_gives() -> None:
    assert problem() == Problem(
        id=problem_id("apps", "Add.\n\ndef add(a, b):"),
        prompt="Add.\n\ndef add(a, b):",
        domain="code",
        level="interview",
        entry_point="add",
        tests=(Case(input="[1, 2]", output="[3]", public=True), Case(input="[3, 4]", output="[7]", public=True)),
        rule="apps",
    )


def test_a_program_reads_and_prints_text() -> None:
    found = problem({"input_output": TESTS, "starter_code": "", "difficulty": ""})
    assert (found.prompt, found.entry_point, found.level) == ("Add.", None, None)
    assert (found.rule, found.input_file, found.output_file) == ("apps", "input.txt", None)
    assert [(case.input, case.output) for case in found.tests] == [("1 2\n", "3\n"), ("3 4\n", "7\n")]


def test_of_converted_rows_the_samples_alone_are_public_and_the_function_is_that_of_the_starter_code() -> None:
    found = problem(row=CONVERTED)
    assert found.entry_point == "add"
    assert found.tests == (
        Case(input="[1, 2]", output="[3]", public=True),
        Case(input='[[3], "4"]', output="[7]"),
    )
    script = problem(
        {"starter_code": "", "sample_io": [], "test_list": [{"input": "3 4\n", "output": ["7"]}]}, CONVERTED
    )
    assert script.entry_point is None
    assert script.tests == (Case(input="3 4\n", output="7"),)


def test_the_text_may_be_unicode_and_a_number_stands_for_its_text() -> None:
    assert problem({"question": "Сложи 一", "starter_code": None}).prompt == "Сложи 一"
    assert problem({"question": 5, "starter_code": None}).prompt == "5"


def test_a_method_of_a_class_is_named_as_a_function_is() -> None:
    starter = "class Solution:\n    def add(self, a: int, b: int) -> int:\n        "
    found = problem({"starter_code": starter})
    assert (found.entry_point, found.prompt) == ("add", f"Add.\n\n{starter.strip()}")
    with_init = "class Adder:\n    def __init__(self):\n        pass\n    def add(self, a, b):\n"
    assert problem({"starter_code": with_init}, CONVERTED).entry_point == "add"


def test_tests_may_have_been_read_from_their_text_already() -> None:
    assert problem({"input_output": json.loads(ROW["input_output"])}) == problem()
    assert problem({"input_output": json.dumps(ROW["input_output"])}) == problem()  # or not once, but twice written


def test_nan_is_no_text() -> None:
    found = problem({"starter_code": float("nan"), "difficulty": float("nan")})
    assert (found.prompt, found.level) == ("Add.", None)


@pytest.mark.parametrize("row", [ROW, CONVERTED])
def test_the_first_tests_are_kept(row: dict[str, Any]) -> None:
    whole, cut = problem(row=row), problem(row=row, max_tests=1)
    assert cut.tests == whole.tests[:1]
    assert cut.id == whole.id


def test_a_model_is_asked_for_steps_and_a_program_where_the_recipe_says_so() -> None:
    asked = problem(ask=True)
    assert asked.prompt.startswith("Add.\n\ndef add(a, b):\n\nSolve it step by step")
    assert asked.id == problem().id


@pytest.mark.parametrize(
    ("row", "change"),
    [
        (ROW, {"input_output": ""}),
        (ROW, {"input_output": None}),
        (ROW, {"input_output": '{"inputs": [], "outputs": []}'}),
        (CONVERTED, {"sample_io": [], "test_list": []}),
    ],
)
def test_a_problem_without_tests_is_left_out(row: dict[str, Any], change: dict[str, Any]) -> None:
    assert tree_of(row | change, "f:1") is None


@pytest.mark.parametrize(
    ("row", "change", "message"),
    [
        (ROW, {"input_output": "{"}, "input_output is not JSON"),
        (ROW, {"input_output": [1]}, "illegal input_output, got .*; expected JSON as text"),
        (ROW, {"input_output": {"inputs": []}}, "illegal tests, got .*; expected lists of inputs and outputs"),
        (ROW, {"input_output": '{"inputs": [1], "outputs": []}'}, "inputs and outputs differ in number"),
        (ROW, {"question": None}, "the row has no question, got .*; expected question or description"),
        (ROW, {"question": " \n"}, "the row has no question"),
        (CONVERTED, {"test_list": None}, "illegal test_list, got None; expected list"),
        (CONVERTED, {"test_list": [{"input": "1"}]}, "illegal test_list, .*expected objects with input and output"),
        (CONVERTED, {"sample_io": ["1"]}, "illegal sample_io"),
        (CONVERTED, {"sample_io": [{"input": 1, "output": 2}]}, "illegal test input, got 1"),
    ],
)
def test_a_row_that_breaks_the_form(row: dict[str, Any], change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^f:1: {message}"):
        tree_of(row | change, "f:1")


def test_a_row_without_the_column_of_its_tests_is_no_problem_without_tests() -> None:
    row = {name: value for name, value in ROW.items() if name != "input_output"}
    with pytest.raises(InputError, match=r"^f:1: the row has no input_output, got \['difficulty', 'question'"):
        tree_of(row, "f:1")


def test_the_parquet_mirror_reads_as_the_lines_do(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = [ROW, ROW | {"question": "Add again."}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "b.parquet")
    lines, columns = (list(Corpus("apps", str(tmp_path / name))) for name in ("a.jsonl", "b.parquet"))
    assert lines == columns
    assert [tree.problem.prompt for tree in lines] == ["Add.\n\ndef add(a, b):", "Add again.\n\ndef add(a, b):"]


@pytest.mark.realdata
def test_the_real_converted_rows(data_dir: Path) -> None:
    trees = list(Corpus("apps", str(data_dir / "apps" / "selected150.jsonl"), options={"max_tests": 1000}))
    problems = {tree.problem.prompt.partition("\n")[0]: tree.problem for tree in trees}
    assert len(trees) == 150
    assert sum(each.entry_point is None for each in (tree.problem for tree in trees)) == 52
    zonk = next(each for start, each in problems.items() if start.startswith("Zonk"))
    assert (zonk.entry_point, zonk.tests[0].input, zonk.tests[0].output) == ("get_score", "[[1, 2, 3]]", "[100]")
