from dataclasses import replace
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.grade.code.extraction import extract
from prmkit.grade.code.programs import CodeGrader
from prmkit.tree import Case, Problem, Rule

DOUBLE = Problem(
    id="double",
    prompt="Write def f ( x ) that doubles x.",
    domain="code",
    entry_point="f",
    tests=(
        Case(input="[1]", output="2", public=True),
        Case(input="[2]", output="4", public=True),
        Case(input="[-3]", output="-6"),
    ),
)


@pytest.fixture(scope="module")
def grader():
    return CodeGrader()


@pytest.mark.parametrize(
    ("solution", "program"),
    [
        ("a = x + x # double\nreturn a", "def f(x):\n    a = x + x # double\n    return a"),
        ("def f(y):\n    return 2 * y", "def f(y):\n    return 2 * y"),
        ("Here:\n```python\ndef f(x):\n    return 1\n```\nDone.", "def f(x):\n    return 1\n"),
        # The block with the function wins over a later usage example.
        ("```python\ndef f(x):\n    return 1\n```\n```\nf(2)\n```", "def f(x):\n    return 1\n"),
        ("```py\nreturn x\n```", "def f(x):\n    return x\n"),
        ("    b = 2\n    return b * x", "def f(x):\n    b = 2\n    return b * x"),
        ("```python\n```", None),
        (" \n ", None),
    ],
)
def test_the_program_of_a_solution(solution: str, program: str | None) -> None:
    assert extract(DOUBLE, solution) == program


def test_only_evalplus_tells_base_tests_apart(grader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path))
    assert grader.correct_on_base(DOUBLE, ["def f(x): return 2 * x"]) is None
    case = Case(input="[1]", public=True)
    plus = replace(DOUBLE, rule="evalplus", reference="def f(x): return 2 * x", tests=(case, Case(input="[2]")))
    assert grader.correct_on_base(plus, ["def f(x): return 2", None, "def f(x): return 3"]) == [True, False, False]
    assert grader.correct(plus, ["def f(x): return 2", None, "def f(x): return 3"]) == [False, False, False]


@pytest.mark.parametrize(
    ("prompt", "header"),
    [
        ("def f ( n )", "def f(n):"),
        ("from typing import List\n\ndef f(a: List[int], *, b: int = 2) -> bool:\n    ...", "def f(a, *, b=2):"),
        ("no signature", "def f(x):"),
    ],
)
def test_the_signature_of_a_body_comes_from_the_prompt(prompt: str, header: str) -> None:
    posed = Problem(id="p", prompt=prompt, domain="code", entry_point="f")
    assert extract(posed, "return 1") == header + "\n    return 1"


def test_a_program_is_right_if_it_passes_every_test(grader: CodeGrader) -> None:
    programs = grader.answers(
        DOUBLE,
        [
            "return x + x",
            "return abs(x) * 2",  # right on the public tests, wrong on the hidden one
            "return x * x",  # right on 2 only
            "return 1 / 0",
            "import os\nprint('passed')\nos._exit(0)",
            "",
        ],
    )
    assert grader.correct(DOUBLE, programs) == [True, False, False, False, False, False]


def test_classes_are_behaviour_on_public_inputs(grader: CodeGrader) -> None:
    programs = grader.answers(
        DOUBLE,
        [
            "return x + x",  # 2, 4
            "return x * x",  # 1, 4
            "return abs(x) * 2.0",  # 2.0, 4.0: the same values; differs only on the hidden input
            "return 1 / 0",  # fails on all: no class
            "return 1 if x == 1 else 1 / 0",  # 1, ZeroDivisionError
            "",
            "return 1 if x == 1 else [][0]",  # 1, IndexError: another error is another output
            "return [1, 1/0][x - 1] if x < 2 else 1 / 0",
            "y = x\nreturn y ** 2",  # 1, 4
        ],
    )
    assert grader.classes(DOUBLE, programs) == [0, 1, 0, None, 2, None, 3, None, 1]


def test_hidden_inputs_never_run_for_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    from prmkit.sandbox import isolate

    def run_calls(program, entry_point, inputs, limits):
        asked.extend(inputs)
        return [isolate.Outcome(value_json="0")] * len(inputs)

    monkeypatch.setattr(isolate, "run_calls", run_calls)
    grader = CodeGrader()
    assert grader.classes(DOUBLE, ["a", "b", "a"]) == [0, 0, 0]
    assert asked == ["[1]", "[2]"] * 2  # and each different program once
    grader.correct(DOUBLE, ["a"])
    assert asked == ["[1]", "[2]"] * 2  # from the cache; it fails there, so the hidden test need not run


def test_without_public_inputs_the_vote_is_on_the_text_of_syntax_trees(grader: CodeGrader) -> None:
    posed = Problem(id="p", prompt="", domain="code", entry_point="f", tests=DOUBLE.tests[2:])
    written = ["return 2 * x", "return  2*x  # twice", "y = 2 * x\nreturn y", "z = 2 * x\nreturn z", ""]
    assert grader.classes(posed, grader.answers(posed, written)) == [0, 0, 1, 1, None]
    assert grader.correct(posed, grader.answers(posed, ["return 2 * x", "return x"])) == [True, False]


def test_where_the_public_input_makes_every_program_fail_their_text_votes(grader: CodeGrader) -> None:
    reads = "def f(x):\n    with open('data') as {0}: return len({0}.read())"
    posed = replace(DOUBLE, tests=(Case(input="[1]", public=True),))
    programs = [
        reads.format("a"),
        reads.format("b"),
        "def f(x): return open(str(x)).read()",
        "def f(x): return y",
        None,
    ]
    assert grader.classes(posed, programs) == [0, 0, 1, None, None]


def test_a_verdict_tells_which_test_failed_and_why(grader: CodeGrader) -> None:
    right, wrong, slow = grader.verdicts(
        DOUBLE,
        ["def f(x): return 2 * x", "def f(x): return 2 * abs(x)", "def f(x):\n    while x > 1: pass\n    return 2"],
    )
    assert right is not None
    assert [test.reason for test in right.tests] == ["", "", ""]
    assert wrong is not None
    assert (wrong.status, [test.reason for test in wrong.tests]) == ("fail", ["", "", "returned 6"])
    assert slow is not None
    assert (slow.status, [test.reason for test in slow.tests]) == ("timeout", ["", "Timeout"])
    assert slow.tests[1].seconds > 1


def test_a_value_that_is_no_json_is_wrong_and_not_a_crash(grader: CodeGrader) -> None:
    forge = (
        "import os\nfor i in range(3, 64):\n    try: os.write(i, b'[\"value\", \"' + b'[' * 100000 + b'\"]\\n' * 1)\n"
        "    except OSError: pass\nos._exit(0)\ndef f(x): pass"
    )
    assert grader.correct(DOUBLE, [forge]) == [False]
    assert grader.correct(DOUBLE, ["def f(x): return float('nan')"]) == [False]


@pytest.mark.parametrize("rule", ["calls", "apps", "taco", "livecodebench"])
def test_a_problem_that_no_program_can_be_called_by_is_an_input_error(grader: CodeGrader, rule: Rule) -> None:
    posed = replace(DOUBLE, rule=rule)
    for given in ("1", "1 2", '{"x": 1}'):
        with pytest.raises(InputError, match=r"^double: illegal input of a test, got .*; expected a JSON list"):
            grader.correct(replace(posed, tests=(Case(input=given, output="2"),)), ["def f(x): return 2 * x"])
    with pytest.raises(InputError, match=r"^double: illegal entry_point, got"):
        grader.correct(replace(posed, entry_point="f("), ["def f(x): return 2 * x"])


@pytest.mark.parametrize("rule", ["calls", "apps", "taco", "livecodebench"])
def test_a_problem_may_name_the_class_of_its_method(grader: CodeGrader, rule: Rule) -> None:
    posed = replace(DOUBLE, entry_point="Solution().f", rule=rule)
    assert grader.correct(posed, ["class Solution:\n    def f(self, x): return 2 * x"]) == [True]


def test_leetcode_s_form_takes_imports_for_granted(grader: CodeGrader) -> None:
    body = "    def f(self, x: Optional[int]) -> List[int]:\n        return sum(Counter([x] * 2).elements())"
    method = f"class Solution:\n{body}"
    assert grader.correct(DOUBLE, [method, "def f(x: List[int]): return 2 * x"]) == [True, False]


def test_what_cannot_be_judged_is_an_input_error(grader: CodeGrader) -> None:
    with pytest.raises(InputError, match="no tests"):
        grader.correct(Problem(id="p", prompt="", domain="code", entry_point="f"), ["x"])
    for entry_point in ("f", None):
        without = Problem(id="p", prompt="", domain="code", entry_point=entry_point, tests=(Case(input="[1]"),))
        with pytest.raises(InputError, match=r"a test has no output, got '\[1\]'"):
            grader.correct(without, ["x"])
    broken = Problem(id="p", prompt="", domain="code", entry_point="f", tests=(Case(input="[1]", output="(1,)"),))
    with pytest.raises(InputError, match="not JSON"):
        grader.correct(broken, ["def f(x): return (1,)"])


def test_a_run_is_known_again_by_the_same_rule_alone() -> None:
    # The rule of LiveCodeBench puts imports before a program, among them the Counter that this one uses.
    grader, program = CodeGrader(), "def f(x): return Counter([x])[x]"
    programs = [program, "def f(x): return 0"]
    assert grader.classes(DOUBLE, programs) == [None, 0]
    assert grader.classes(replace(DOUBLE, rule="livecodebench"), programs) == [0, 1]


def test_a_script_is_judged_by_what_it_prints_and_a_class_by_its_method(grader: CodeGrader) -> None:
    tests = (Case(input="1 2\n", output="3\n", public=True), Case(input="3 4\n", output="7"))
    script = Problem(id="s", prompt="?", domain="code", tests=tests)
    right, wrong = "a, b = map(int, input().split())\nprint(a + b)", "print(3)"
    assert grader.correct(script, [right, wrong, "1 / 0", None]) == [True, False, False, False]
    method = "class Solution:\n    def f(self, x):\n        return 2 * x\n"
    both, other = method + "def f(x): return 0", "class Solution: pass\nf = lambda x: x + x"
    assert grader.correct(DOUBLE, [method, both, other]) == [True, False, True]


@pytest.mark.parametrize("rule", ["calls", "livecodebench", "apps", "taco", "code-contests"])
def test_scripts_agree_in_a_vote_whatever_the_blanks_around_their_lines(grader: CodeGrader, rule: Rule) -> None:
    tests = (Case(input="2\n", output="", public=True), Case(input="3\n", output="", public=True))
    problem = Problem(id="s", prompt="?", domain="code", tests=tests, rule=rule)
    twice = ["n = input()\nprint(n)\nprint(n)", "n = input()\nprint(n + ' \\n' + n, end='')"]
    others = ["print(2)\nprint(2)", "n = input()\nprint(n, n)", "1 / 0"]
    assert grader.classes(problem, [*twice, *others]) == [0, 0, 1, 2, None]
