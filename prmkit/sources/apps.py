"""APPS: programming problems with tests, from introductory to competition.

Source: Hendrycks et al. 2021, arXiv 2105.09938. The hub's codeparrot/apps is a script that ``datasets`` no longer runs;
its files train.jsonl and test.jsonl, and the parquet mirror metr-evals/apps, have the same columns.
"""

import re
from typing import Any

from prmkit.errors import InputError
from prmkit.rows_io import Fields, field, plain
from prmkit.sources import problem_id, required
from prmkit.sources.cases import asked, cases_of, json_column, pairs_of
from prmkit.tree import Case, Problem, StepTree

_FUNCTION = re.compile(r"^\s*def\s+(?!__)(\w+)\s*\(", re.MULTILINE)


def tree_of(row: Fields, where: str, *, max_tests: int = 32, ask: bool = False) -> StepTree | None:
    """The problem without steps, to be solved and annotated; one without tests is left out.

    With ``fn_name`` it asks for a function, perhaps as a method of ``class Solution``, and else for a program that
    reads its standard input. All tests are public: the corpus tells no others apart. Rows of the converted form with
    ``sample_io`` and ``test_list`` are read too; there, only the samples are public.

    Args:
        row: of the corpus.
        where: its place.
        max_tests: the first so many tests are kept.
        ask: end the problem with a request for steps and a program.

    Raises:
        InputError: a column is missing or illegal.
    """
    starter = plain(row.get("starter_code")) or ""
    if "sample_io" in row:
        function = _FUNCTION.search(starter)
        name = function[1] if function else None
        tests = _converted(row, where, name, max_tests)
    else:
        inputs, outputs, name = pairs_of(json_column(row, where, "input_output"), where, "tests")
        tests = cases_of(inputs, outputs, name, where, most=max_tests)
    prompt = field(row, where, "question", "description")
    if starter:
        prompt += f"\n\n{starter}"
    if not tests:
        return None
    problem = Problem(
        id=problem_id("apps", prompt),
        prompt=asked(prompt, ask=ask),
        domain="code",
        level=plain(row.get("difficulty")),
        entry_point=name,
        tests=tuple(tests),
        input_file="input.txt" if name is None else None,
        rule="apps",
    )
    return StepTree(problem)


def _converted(row: Fields, where: str, name: str | None, max_tests: int) -> list[Case]:
    samples, others = _objects(row, where, "sample_io"), _objects(row, where, "test_list")
    tests = [*samples, *others]
    inputs, outputs = [test["input"] for test in tests], [test["output"] for test in tests]
    return cases_of(inputs, outputs, name, where, public=len(samples), most=max_tests)


def _objects(row: Fields, where: str, column: str) -> list[Any]:
    tests: list[Any] = required(row, where, column, list)
    if not all(isinstance(test, dict) and {"input", "output"} <= test.keys() for test in tests):
        raise InputError(f"illegal {column}", where=where, got=tests, expected="objects with input and output")
    return tests
