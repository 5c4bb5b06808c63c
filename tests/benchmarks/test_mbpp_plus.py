import json
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.grade import grader_for
from prmkit.sandbox import values


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
