"""APPS, TACO and CodeContests: problems with tests, without steps."""

import json
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sources import SOURCES, Corpus
from prmkit.tree import Problem
from tests.sources.samples import CALLS, GOOD_ROWS, TESTS


def problem(name: str, change: dict[str, Any] | None = None, **options: Any) -> Problem:
    tree = SOURCES.load(name)(GOOD_ROWS[name] | (change or {}), "f:1", **options)
    assert tree is not None
    assert len(tree) == 0
    assert tree.problem.domain == "code"
    return tree.problem  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["apps", "taco"])
def test_a_function_is_called_with_its_arguments_and_apps_wraps_its_values(name: str) -> None:
    found = problem(name, {"input_output": CALLS})
    assert found.entry_point == "add"
    assert [(case.input, case.output) for case in found.tests] == [("[1, 2]", "3"), ("[3, 4]", "7")]


@pytest.mark.parametrize("name", ["apps", "taco"])
def test_a_program_reads_and_prints_text(name: str) -> None:
    found = problem(name, {"input_output": TESTS, "starter_code": ""})
    assert found.entry_point is None
    assert [(case.input, case.output) for case in found.tests] == [
        ("1 2\n", "3\n"),
        ("3 4\n", "7\n"),
    ]
    assert all(case.public for case in found.tests)


def test_lists_that_are_not_all_of_one_value_are_the_values() -> None:
    tests = json.dumps({"fn_name": "f", "inputs": [[1], [2]], "outputs": [[3], [4, 5]]})
    assert [case.output for case in problem("apps", {"input_output": tests}).tests] == ["[3]", "[4, 5]"]


def test_integers_of_any_length_are_read() -> None:
    digits = "7" * 5000
    tests = f'{{"fn_name": "f", "inputs": [[{digits}]], "outputs": [1]}}'
    assert problem("taco", {"input_output": tests}).tests[0].input == f"[{digits}]"


def test_a_contest_shows_its_public_tests_only() -> None:
    found = problem("code-contests")
    assert [(case.input, case.public) for case in found.tests] == [("1 2\n", True), ("3 4\n", False)]
    assert found.level == "800"


@pytest.mark.parametrize("name", ["apps", "taco", "code-contests"])
def test_the_first_tests_are_kept(name: str) -> None:
    assert len(problem(name, max_tests=1).tests) == 1


@pytest.mark.parametrize("name", ["apps", "taco", "code-contests"])
def test_a_model_is_asked_for_steps_and_a_program_where_the_recipe_says_so(name: str) -> None:
    plain, asked = problem(name), problem(name, ask=True)
    assert asked.prompt.startswith(plain.prompt + "\n\nSolve it step by step")
    assert asked.id == plain.id


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("apps", {"input_output": ""}),
        ("taco", {"input_output": None}),
        ("taco", {"starter_code": "class Solution:\n  def f(self): ..."}),
        ("code-contests", {"public_tests": None, "private_tests": None}),
    ],
)
def test_a_problem_without_usable_tests_is_left_out(name: str, change: dict[str, Any]) -> None:
    assert SOURCES.load(name)(GOOD_ROWS[name] | change, "f:1") is None


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("apps", {"input_output": "{"}, "input_output is not JSON"),
        ("apps", {"input_output": '{"inputs": [1], "outputs": []}'}, "differ in number"),
        ("taco", {"input_output": '{"inputs": [1], "outputs": [2]}'}, "illegal test, got 1"),
        ("taco", {"input_output": "[1]"}, "expected an object with inputs and outputs"),
        ("code-contests", {"public_tests": {"input": [1], "output": ["2"]}}, "illegal test, got 1"),
    ],
)
def test_a_row_that_breaks_the_form(name: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"f:1: .*{message}"):
        SOURCES.load(name)(GOOD_ROWS[name] | change, "f:1")


def test_the_parquet_mirror_reads_as_the_lines_do(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = [GOOD_ROWS["apps"], GOOD_ROWS["apps"] | {"question": "Add again."}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "b.parquet")
    lines, columns = (list(Corpus("apps", str(tmp_path / name))) for name in ("a.jsonl", "b.parquet"))
    assert lines == columns
    assert len(lines) == 2


@pytest.mark.realdata
def test_the_real_converted_rows(data_dir: Path) -> None:
    trees = list(Corpus("apps", str(data_dir / "apps" / "selected150.jsonl"), options={"max_tests": 1000}))
    problems = {tree.problem.prompt.partition("\n")[0]: tree.problem for tree in trees}
    assert len(trees) == 150
    assert sum(each.entry_point is None for each in (tree.problem for tree in trees)) == 52
    zonk = next(each for start, each in problems.items() if start.startswith("Zonk"))
    assert (zonk.entry_point, zonk.tests[0].input, zonk.tests[0].output) == ("get_score", "[[1, 2, 3]]", "100")
