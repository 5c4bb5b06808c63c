"""What the readers of HumanEval+ and MBPP+ share."""

import gzip
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prmkit.benchmarks import load
from prmkit.benchmarks.evalplus_rows import cases_of, evalplus_rows, tolerance
from prmkit.benchmarks.mbpp_types import typed_arguments
from prmkit.errors import InputError
from prmkit.rows_io import first_rows

RELEASE = "https://example.org/v1/Plus.jsonl.gz"


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the network: a release of two rows, and a data set of one."""
    asked: list[str] = []

    def download(url: str, out: Path) -> None:
        asked.append(url)
        out.parent.mkdir()
        out.write_bytes(gzip.compress(b'{"n": 1}\n{"n": 2}\n'))

    def hub(name: str, config: str | None, *, split: str, streaming: bool) -> list[dict[str, int]]:
        asked.append(f"{name} {config} {split}")
        return [{"n": 3}]

    import datasets

    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("prmkit.download.download", download)
    monkeypatch.setattr(datasets, "load_dataset", hub)
    return asked


def rows(path: Path | None, form: Any, limit: int | None = None) -> list[Any]:
    return [row for _, row in evalplus_rows(path, form, release=RELEASE, hub="org/plus", limit=limit)]


def test_without_a_file_the_form_says_what_is_fetched(fetched: list[str]) -> None:
    assert rows(None, "rich") == [{"n": 1}, {"n": 2}]
    assert rows(None, "rich", limit=1) == [{"n": 1}]  # of the file that is there
    assert rows(None, "hub") == [{"n": 3}]
    assert fetched == [RELEASE, "org/plus None test"]


@pytest.mark.parametrize("form", ["rich", "hub"])
def test_a_file_goes_before_either(form: str, fetched: list[str], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"n": 4}\n{"n": 123456789012345678901}\n')
    assert rows(path, form) == [{"n": 4}, {"n": 123456789012345678901}]
    assert evalplus_rows(path, "hub", release=RELEASE, hub="x", limit=None)[1][0] == f"{path}:2"
    assert fetched == []


@pytest.mark.parametrize("name", ["humaneval-plus", "mbpp-plus"])
def test_an_unknown_form_is_refused_before_anything_is_fetched(name: str, fetched: list[str]) -> None:
    with pytest.raises(InputError, match="unknown form, got 'plain'; expected rich or hub"):
        load(name, form="plain")
    assert fetched == []


def test_base_inputs_are_public_and_values_keep_their_types() -> None:
    row = {"base_input": [[1, "ж"], []], "plus_input": [[None, 2**64]]}
    base, plus = cases_of(row, "a:1", "base_input"), cases_of(row, "a:1", "plus_input")
    assert [(case.input, case.output, case.public) for case in base] == [
        ('[1, "\\u0436"]', None, True),
        ("[]", None, True),
    ]
    assert [(case.input, case.public) for case in plus] == [('[null, {"$int": "0x10000000000000000"}]', False)]


def test_plus_inputs_may_be_none_which_evalplus_writes_as_an_object() -> None:
    assert cases_of({"plus_input": {}}, "a:1", "plus_input") == []
    assert cases_of({"plus_input": []}, "a:1", "plus_input") == []
    with pytest.raises(InputError, match=r"^a:1: illegal base_input, got \{\}"):
        cases_of({"base_input": {}}, "a:1", "base_input")


def test_types_are_restored_call_by_call() -> None:
    row = {"base_input": [[[1], [2]], [[], []]]}
    found = cases_of(row, "a:1", "base_input", restore=partial(typed_arguments, 2))
    assert [case.input for case in found] == [
        '[{"$tuple": [1]}, {"$tuple": [2]}]',
        '[{"$tuple": []}, {"$tuple": []}]',
    ]


@pytest.mark.parametrize("given", [None, "[[1]]", 5, {"a": [1]}, [1], [[1], {}], [[1], "ab"], [None]])
def test_what_is_no_list_of_argument_lists_is_named(given: object) -> None:
    for row in ({"plus_input": given}, {} if given is None else {"plus_input": given}):
        with pytest.raises(InputError, match=r"^a:1: illegal plus_input, got .*; expected a list of argument lists"):
            cases_of(row, "a:1", "plus_input")


@pytest.mark.parametrize(
    ("task", "given"),
    [
        (2, [[1]]),  # a tuple of no list
        (75, [[]]),  # too few arguments
        (115, [[[[[1]]]]]),  # a set of lists
        (124, [["one", "1j"]]),
        (252, [["i"]]),
        (722, [[[1]]]),  # items of no dict
    ],
)
def test_arguments_of_another_form_than_the_tasks_are_named(task: int, given: list[object]) -> None:
    with pytest.raises(InputError, match=r"^a:1: base_input holds other arguments than the task takes"):
        cases_of({"base_input": given}, "a:1", "base_input", restore=partial(typed_arguments, task))


def test_arguments_nested_too_deeply_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"base_input": [[' + "[" * 900 + "]" * 900 + "]]}\n")
    ((where, row),) = first_rows(path, hub="", split="", limit=None)
    with pytest.raises(InputError, match=r"a\.jsonl:1: base_input .*recursion"):
        cases_of(row, where, "base_input")


@pytest.mark.parametrize(
    ("row", "found"),
    [({}, 0.0), ({"atol": None}, 0.0), ({"atol": 0}, 0.0), ({"atol": 1e-6}, 1e-6), ({"atol": "1e-4"}, 1e-4)],
)
def test_a_tolerance_is_a_number_or_nothing(row: dict[str, object], found: float) -> None:
    assert tolerance(row, "a:1") == found


@pytest.mark.parametrize("given", ["small", [1e-6], -1e-6, float("nan"), float("inf"), {"": 1}])
def test_what_is_no_tolerance_is_named(given: object) -> None:
    with pytest.raises(InputError, match=r"^a:1: illegal atol, got .*; expected a number from 0 on"):
        tolerance({"atol": given}, "a:1")


@pytest.mark.realdata
@pytest.mark.parametrize("path", ["humanevalplus/HumanEvalPlus.jsonl.gz", "mbppplus/MbppPlus.jsonl.gz"])
def test_no_real_row_is_short_of_base_inputs(data_dir: Path, path: str) -> None:
    found = evalplus_rows(data_dir / path, "rich", release="", hub="", limit=None)
    assert all(cases_of(row, where, "base_input") for where, row in found)
