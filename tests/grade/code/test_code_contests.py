"""The rule of CodeContests: outputs word by word, as its own runner compares them."""

from typing import Any

import pytest

from prmkit.grade.code.code_contests import judge, same_output
from prmkit.grade.code.programs import CodeGrader
from prmkit.tree import Case, Problem


def script(*tests: tuple[str, str], **fields: Any) -> Problem:
    cases = tuple(Case(input=given, output=output, public=True) for given, output in tests)
    return Problem(id="s", prompt="?", domain="code", rule="code-contests", tests=cases, **fields)


@pytest.mark.parametrize(
    ("written", "expected", "same"),
    [
        ("3\n", "3", True),
        ("1 2\n3", "1\n2  3\r\n", True),  # blanks part words, and no more
        ("YES No", "yes NO", True),
        ("ß", "SS", False),
        ("É", "é", False),  # only letters of ASCII have cases
        ("2 1", "1 2", False),
        ("1 2", "1 2 3", False),
        ("0.333333", "0.3333333", True),
        ("0.33333", "0.333341", False),  # 1.1e-5
        ("1000000", "1000001", False),  # absolute
        ("5", "5.0", True),
        ("1e3 +4", "1000 4", True),
        ("-0.0", "0", True),
        ("5 a", "5.0 b", False),
        ("1_000", "1000", False),
        ("٣", "3", False),
        ("0x10", "16", False),
        ("inf 1", "inf 1", True),
        ("inf 1", "inf 1.0", False),  # infinities have no difference
        ("1" * 400 + " 1", "1" * 400 + " 1.0", False),
        ("1" * 400, "1" * 400, True),
        ("1\f2", "1 2", False),  # no blank there
        ("", " \n", True),
        ("", "0", False),
    ],
)
def test_outputs_are_the_same_words(written: str, expected: str, same: bool) -> None:
    assert same_output(written, expected) is same


def test_a_script_is_right_by_what_it_has_written_however_it_ended() -> None:
    problem = script(("1 2\n", "3\n"), ("3 4\n", "7\n"))
    right = "print(sum(map(int, input().split())))"
    assert judge(problem, right).passed
    assert judge(problem, right + "\n1 / 0").passed
    assert judge(problem, right + "\nimport sys\nsys.exit(1)").passed
    assert not judge(problem, "print(3)").passed
    assert judge(script(("", "")), "1 / 0").tests[0].reason == "Error"  # it has written nothing
    assert judge(script(("", "")), "pass").passed


def test_a_late_script_is_late_whatever_it_has_written(monkeypatch: pytest.MonkeyPatch) -> None:
    from prmkit.grade.code.outcomes import Terms

    monkeypatch.setattr("prmkit.grade.code.code_contests._TERMS", Terms(seconds=0.5, crash_fails=False))
    assert judge(script(("", "3")), "print(3, flush=True)\nwhile True: pass").status == "timeout"


def test_a_problem_may_name_its_files() -> None:
    problem = script(("1 2\n", "3\n"), input_file="sum.in", output_file="sum.out")
    total = "sum(map(int, {}.read().split()))"
    from_file = total.format("open('sum.in')")
    assert judge(problem, f"with open('sum.out', 'w') as f: f.write(str({from_file}))").passed
    assert judge(problem, f"import sys\nprint({total.format('sys.stdin')})").passed


def test_the_grader_goes_by_the_rule() -> None:
    problem = script(("1\n", "Yes 0.5\n"))
    assert CodeGrader().correct(problem, ["print('YES')\nprint(1 / 2)", "print('NO')"]) == [True, False]
