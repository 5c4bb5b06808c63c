"""CodeContests: problems with tests, without steps."""

from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sources import problem_id
from prmkit.sources.code_contests import tree_of
from prmkit.tree import Case, Problem, StepTree
from tests.sources.samples import GOOD_ROWS

ROW = GOOD_ROWS["code-contests"]


def tree(change: dict[str, Any] | None = None, **options: Any) -> StepTree:
    found = tree_of(ROW | (change or {}), "f:1", **options)
    assert found is not None
    return found


def test_a_contest_shows_its_public_tests_only() -> None:
    assert tree() == StepTree(
        Problem(
            id=problem_id("code-contests", "Add."),
            prompt="Add.",
            domain="code",
            level="800",
            tests=(Case(input="1 2\n", output="3\n", public=True), Case(input="3 4\n", output="7\n")),
            rule="code-contests",
        ),
        meta={"name": "1_A. Sum"},
    )


def test_public_private_and_generated_tests_come_in_that_order_and_the_first_are_kept() -> None:
    generated = {"generated_tests": {"input": ["5 6\n", "7 8\n"], "output": ["11\n", "15\n"]}}
    found = [(case.output, case.public) for case in tree(generated).problem.tests]
    assert found == [("3\n", True), ("7\n", False), ("11\n", False), ("15\n", False)]
    assert tree(generated, max_tests=3).problem.tests == tree(generated).problem.tests[:3]


@pytest.mark.parametrize(
    ("rating", "level"),
    [(1900, "1900"), (0, None), (-1, None), (None, None), ("800", None),
     (1900.0, "1900"), (1900.5, None), (float("inf"), None), (float("nan"), None)])  # fmt: skip
def test_a_rating_is_a_level_unless_there_is_none(rating: object, level: str | None) -> None:
    assert tree({"cf_rating": rating}).problem.level == level


def test_kinds_of_tests_may_be_absent() -> None:
    assert tree({"public_tests": None, "generated_tests": None}).problem.tests == (
        Case(input="3 4\n", output="7\n", public=False),
    )
    nothing: dict[str, list[str]] = {"input": [], "output": []}
    assert tree_of(ROW | {"public_tests": None, "private_tests": nothing, "generated_tests": None}, "f:1") is None


def test_tests_may_be_pairs_as_in_the_original_records() -> None:
    pairs = {
        kind: [
            {"input": given, "output": out} for given, out in zip(ROW[kind]["input"], ROW[kind]["output"], strict=True)
        ]
        for kind in ("public_tests", "private_tests", "generated_tests")
    }
    assert tree(pairs) == tree()


@pytest.mark.parametrize(
    "limits",
    [
        {"time_limit": {"seconds": 2, "nanos": 500000000}, "memory_limit_bytes": 256000000},
        {"time_limit": {"seconds": "2", "nanos": None}, "memory_limit_bytes": None},
        {"time_limit": None, "input_file": "", "output_file": ""},
        {"solutions": {"language": [3], "solution": ["print(1)"]}, "incorrect_solutions": [{"language": "PYTHON3"}]},
    ],
)
def test_what_the_official_runner_does_not_read_is_not_read(limits: dict[str, Any]) -> None:
    assert tree(limits) == tree()


def test_files_that_a_problem_names_are_kept() -> None:
    problem = tree({"input_file": "sum.in", "output_file": "sum.out"}).problem
    assert (problem.input_file, problem.output_file) == ("sum.in", "sum.out")


def test_a_model_is_asked_for_steps_and_a_program_where_the_recipe_says_so() -> None:
    assert tree(ask=True).problem.prompt.startswith("Add.\n\nSolve it step by step")
    assert tree(ask=True).problem.id == tree().problem.id


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"public_tests": {"input": [1], "output": ["2"]}}, "illegal test, got 1"),
        ({"public_tests": {"input": ["1"], "output": []}}, r"inputs and outputs differ in number, got \(1, 0\)"),
        ({"private_tests": {"input": ["1"]}}, "illegal private_tests, got .*; expected lists of inputs and outputs"),
        ({"generated_tests": ["1"]}, r"illegal generated_tests, got \['1'\]"),
        ({"input_file": "../in"}, "illegal input_file, got '../in'; expected the name of a file"),
        ({"output_file": 5}, "illegal output_file, got 5"),
        ({"description": None}, "the row has no description"),
    ],
)
def test_a_row_that_breaks_the_form(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^f:1: {message}"):
        tree_of(ROW | change, "f:1")


def test_a_row_without_any_column_of_tests_is_no_problem_without_tests() -> None:
    row = {"description": "Add.", "name": "1_A. Sum"}
    with pytest.raises(InputError, match=r"^f:1: the row has no tests, got .*; expected public_tests or"):
        tree_of(row, "f:1")
