from dataclasses import replace

import pytest

from prmkit.errors import InputError
from prmkit.grade.code.asserts import judge
from prmkit.tree import Problem

POSED = Problem(
    id="p",
    prompt="?",
    domain="code",
    entry_point="f",
    rule="asserts",
    check="assert f(2) == 4\nassert [f(x) for x in (0, 1)] == [0, 2]\nassert f('ab') == 'abab'",
)


@pytest.mark.parametrize(
    ("program", "status", "reason"),
    [
        ("def f(x): return 2 * x", "pass", ""),
        ("def f(x): return x * x", "fail", "AssertionError"),
        ("def f(x): return abs(x) + abs(x)", "fail", "RuntimeError"),  # of the call, in the eyes of the tests
        ("def g(x): return 2 * x", "fail", "RuntimeError"),
        ("def f(x): return", "fail", "AssertionError"),
        ("def f(x return", "fail", "RuntimeError"),
        ("import os\nos._exit(0)", "fail", "Exit"),
    ],
)
def test_a_program_passes_if_every_assertion_holds(program: str, status: str, reason: str) -> None:
    verdict = judge(POSED, program)
    assert verdict.status == status
    assert [(test.name, test.reason) for test in verdict.tests] == [("tests", reason)]


def test_a_program_that_does_not_answer_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prmkit.grade.code.asserts._SECONDS", 0.5)
    verdict = judge(POSED, "def f(x):\n    while True: pass")
    assert (verdict.status, verdict.tests[0].reason) == ("timeout", "Timeout")


def test_tests_may_use_packages_and_a_program_gets_those_it_imports() -> None:
    with_numpy = replace(POSED, check="import numpy\nassert f(2) == numpy.int64(4)")
    assert judge(with_numpy, "def f(x): return 2 * x").passed
    assert judge(POSED, "import numpy\ndef f(x): return numpy.repeat([x], 2).sum() if x != 'ab' else 2 * x").passed


def test_an_assertion_may_expect_an_error() -> None:
    raises = (
        "try:\n    f('a')\nexcept RuntimeError as error:\n    assert str(error) == 'TypeError'\nelse:\n    assert False"
    )
    assert judge(replace(POSED, check=raises), "def f(x): return x - 1").passed
    assert not judge(replace(POSED, check=raises), "def f(x): return x").passed


@pytest.mark.parametrize("lacking", [{"check": None}, {"entry_point": None}])
def test_a_problem_without_tests_or_function_is_an_input_error(lacking: dict[str, None]) -> None:
    with pytest.raises(InputError, match="p: the problem has no tests or no entry point"):
        judge(replace(POSED, **lacking), "def f(x): return 2 * x")
