import json
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.grade import grader_for
from prmkit.sandbox import values
from prmkit.tree import Case


def test_the_hubs_form_takes_its_tests_and_its_name_from_the_assertions(tmp_path: Path) -> None:
    row = {
        "task_id": 7, "prompt": "Add one.", "code": "def helper(x): return x\ndef add_one(x): return helper(x) + 1",
        "test_imports": ["import math"], "test_list": ["assert add_one(1) == 2", "assert math.isclose(add_one(2), 3)"],
    }  # fmt: skip
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row))
    (problem,) = load("mbpp-plus", path=path)
    assert (problem.id, problem.entry_point) == ("Mbpp/7", "add_one")
    assert problem.prompt == '"""\nAdd one.\nassert add_one(1) == 2\n"""\n'
    assert [(case.input, case.public) for case in problem.tests] == [("[1]", True)]  # the shown assertion alone
    verdicts = grader_for("code").correct(problem, ["def add_one(x): return x + 1", "def add_one(x): return 2 * x"])
    assert verdicts == [True, False]
    path.write_text(json.dumps({**row, "test_list": ["assert print(1) is None"], "code": "x = 1"}))
    with pytest.raises(InputError, match="call no function"):
        load("mbpp-plus", path=path)


RICH = {
    "task_id": "Mbpp/2", "prompt": '"""Both."""\n', "entry_point": "f", "canonical_solution": "def f(a, b): return a\n",
    "base_input": [[[1], [2]]], "plus_input": [[[], [3]]], "atol": 0.5,
}  # fmt: skip
HUB = {"task_id": 7, "prompt": "Add one.", "code": "def g(x): return x + 1", "test_list": ["assert g(1) == 2"]}


def test_the_rich_form_gives_the_arguments_their_types(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(RICH))
    (problem,) = load("mbpp-plus", path=path)
    assert (problem.id, problem.rule, problem.atol) == ("Mbpp/2", "evalplus", 0.5)
    assert problem.reference == '"""Both."""\ndef f(a, b): return a\n'
    assert problem.tests == (
        Case(input='[{"$tuple": [1]}, {"$tuple": [2]}]', public=True),
        Case(input='[{"$tuple": []}, {"$tuple": [3]}]'),
    )


@pytest.mark.parametrize(
    ("row", "change", "message"),
    [
        (RICH, {"base_input": 5}, "illegal base_input, got 5"),
        (RICH, {"base_input": None}, "illegal base_input, got None"),
        (RICH, {"base_input": [[5, 6]]}, "base_input holds other arguments than the task takes"),
        (RICH, {"plus_input": None}, "illegal plus_input, got None"),
        (RICH, {"task_id": "Mbpp/x"}, "illegal task_id, got 'Mbpp/x'; expected such as Mbpp/2"),
        (RICH, {"atol": [1]}, r"illegal atol, got \[1\]"),
        (RICH, {"canonical_solution": None}, "the row has no canonical_solution"),
        (HUB, {"test_imports": "import math"}, "illegal test_imports, got 'import math'; expected lines of Python"),
        (HUB, {"test_imports": [5]}, "illegal test_imports"),
        (HUB, {"test_list": []}, r"illegal test_list, got \[\]; expected assertions"),
        (HUB, {"test_list": "assert g(1) == 2"}, "illegal test_list"),
        (HUB, {"code": "def g(x) return"}, "the reference or a test is no Python"),
        (HUB, {"test_list": ["assert g(" + "-" * 50_000 + "1)"]}, "the reference or a test is no Python"),
    ],
)
def test_a_row_that_breaks_its_form_is_named(
    tmp_path: Path, row: dict[str, object], change: dict[str, object], message: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(HUB) + "\n" + json.dumps({**row, **change}))
    with pytest.raises(InputError, match=rf"a\.jsonl:2: {message}"):
        load("mbpp-plus", path=path)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "count"),
    [("MbppPlus.jsonl.gz", 378), ("MbppPlus-v0.1.0.jsonl.gz", 399), ("MbppPlus-OriginFmt.jsonl.gz", 378)],
)
def test_the_real_files(data_dir: Path, name: str, count: int) -> None:
    problems = {problem.id: problem for problem in load("mbpp-plus", path=data_dir / "mbppplus" / name)}
    assert len(problems) == count
    if "Origin" in name:
        some = problems["Mbpp/2"]
        assert grader_for("code").correct(some, [some.reference, "def similar_elements(a, b): return a"]) == [
            True,
            False,
        ]
        return
    first = values.decode(problems["Mbpp/2"].tests[0].input)
    assert [type(argument) for argument in first] == [tuple, tuple]
    assert all(case.public for case in problems["Mbpp/793"].tests)  # its plus_input is {}
    # Integers beyond 64 bits are exact.
    assert any(values.decode(case.input)[0] >= 10**42 for case in problems["Mbpp/99"].tests)
