import pytest

from prmkit.errors import InputError
from prmkit.grade.code.livecodebench import judge, same_output
from prmkit.grade.code.programs import CodeGrader
from prmkit.tree import Case, Problem


def script(*tests: tuple[str, str], public: bool = True) -> Problem:
    cases = tuple(Case(input=given, output=output, public=public) for given, output in tests)
    return Problem(id="p", prompt="?", domain="code", rule="livecodebench", tests=cases)


FUNCTION = Problem(
    id="q", prompt="?", domain="code", rule="livecodebench", entry_point="add",
    tests=(Case(input="[1, 2]", output="3", public=True), Case(input="[[1], [2]]", output="[1, 2]")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("written", "expected", "same"),
    [
        ("1 2\n3\n", "1 2\n3", True),
        ("  YES \n", "YES", True),
        ("yes", "YES", False),
        ("1.0 2", "1 2.00", True),  # numbers, exactly
        ("0.333333", "0.3333333", False),
        ("1\n\n2", "1\n2", False),  # lines count
        ("1 a", "1.0 a", False),  # a line with a word is no line of numbers
        ("", "", True),
    ],
)
def test_outputs_compare_line_by_line(written: str, expected: str, same: bool) -> None:
    assert same_output(written, expected) is same


def test_a_script_is_run_on_every_input_in_a_process_of_its_own() -> None:
    problem = script(("2\n1 2\n", "3"), ("1\n5\n", "5"))
    total = "n = int(input())\nglobal_sum = sum(map(int, input().split()))\nprint(global_sum)"
    assert judge(problem, total).passed
    assert judge(
        problem,
        "import sys\nread = sys.stdin.buffer.readline\nread()\nprint(sum(map(int, read().split())))\nsys.exit(1)",
    ).passed
    verdict = judge(problem, "print(3)")
    assert (verdict.status, [test.reason for test in verdict.tests]) == ("fail", ["", "gave '3\\n', not '5'"])
    assert judge(problem, "raise ValueError").tests[0].reason == "Error"


def test_a_function_returns_exactly_the_value() -> None:
    assert judge(FUNCTION, "class Solution:\n    def add(self, a, b): return a + b").passed
    assert judge(FUNCTION, "def add(a, b):\n    return a + b if a == 1 else tuple(a + b)").passed  # a tuple on top
    assert judge(FUNCTION, "def add(a, b): return a + b + 1e-12").status == "fail"  # no tolerance
    # What contestants use without importing it: List, inf, Counter, and deep recursion.
    free = "def add(a: List[int], b): return Counter(['x'])['x'] * (a + b) if inf > 1 and depth(9000) else 0\n"
    assert judge(FUNCTION, free + "def depth(n): return n == 0 or depth(n - 1)").passed


def test_imports_from_the_future_stand_before_those_that_are_put_before_a_program() -> None:
    program = '"""Doc."""\nfrom __future__ import annotations\nprint(sqrt(int(input())))'
    assert judge(script(("4", "2")), program).passed


def test_a_late_test_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prmkit.grade.code.livecodebench.SECONDS", 0.5)
    assert judge(script(("", "1")), "while True: pass").status == "timeout"
    assert judge(FUNCTION, "def add(a, b):\n    while True: pass").status == "timeout"


def test_scripts_vote_by_what_they_write_on_public_inputs() -> None:
    problem = script(("1\n", "2"), ("2\n", "4"))
    double, square = "print(2 * int(input()))", "print(int(input()) ** 2)"
    assert CodeGrader().classes(problem, [double, square, "x = int(input())\nprint(x + x)", "1 / 0"]) == [0, 1, 0, None]


def test_tests_without_an_output_are_an_input_error() -> None:
    broken = Problem(id="p", prompt="?", domain="code", rule="livecodebench", tests=(Case(input=""),))
    with pytest.raises(InputError, match="p: a test has no output"):
        judge(broken, "print(1)")
