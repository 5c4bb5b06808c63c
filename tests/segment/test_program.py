import pytest

from prmkit.segment.program import is_program, is_statement, line_starts


def starts(program: str) -> list[tuple[str, bool]]:
    """The first character of each line, and whether it goes on with what stands before it."""
    return [(program[at : at + 1], inside) for at, inside in line_starts(program, 0, len(program))]


def test_lines_in_brackets_and_long_strings_go_on() -> None:
    assert starts("f(\na,\n)\nb") == [("f", False), ("a", True), (")", True), ("b", False)]
    assert starts('x = """\na\n"""\nb') == [("x", False), ("a", True), ('"', True), ("b", False)]


@pytest.mark.parametrize(
    "line",
    ["'('", "\"(\" + '{'", "# (", r"'\'('", "'''('''", '"""\\"""("""', "x)", "'open (", "f'{x}['", '""', "'#' + \"(\""],
)
def test_brackets_in_strings_and_comments_open_nothing(line: str) -> None:
    assert starts(f"{line}\nb")[-1] == ("b", False)


@pytest.mark.parametrize("line", ["(", "'' (", "x) (", "{'a': [1],", "'''", "'''\\'''", '"""""', "''''x'"])
def test_what_is_open_makes_the_next_line_go_on(line: str) -> None:
    assert starts(f"{line}\nb")[-1] == ("b", True)


def test_a_line_behind_a_backslash_is_part_of_the_one_before() -> None:
    assert starts("x = \\\ny\nb") == [("x", False), ("b", False)]


def test_only_a_part_of_a_text_may_be_the_program() -> None:
    text = "(((\na\nb\n"
    assert list(line_starts(text, 4, 6)) == [(4, False), (6, False)]


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "from typing import List, Dict",
        "import numpy as np  # the usual name",
        "def f(x: int) -> int:",
        "class A(B):",
        "async def f():",
        "for i in range(10):",
        "while not done:",
        "if x is not None and y in z:",
        "with open('a file') as f:",
        "try:",
        "@lru_cache(maxsize=None)",
        '"""Say what this is.',
        "n = int(input())",
        "a, b = b, a",
        "(a, b) = pair",
        "[x, y] = point",
        "'a text'",
        "*head, tail = xs",
        "x[i][0] += 1",
        "x = 0xAB + 1e5 - 2j",
        "self.total //= 2",
        "counts: dict[str, int] = {}",
        "text = \"it's a text\" + 'and another'",
        "print('Eggs left:', eggs)",
        "xs.sort(key=lambda x: -x)",
        "final = a + \\",
        'QUERY = """select',
        "return x",
        "assert f(1) == 2, 'no'",
        "match command.split():",
    ],
)
def test_statements(line: str) -> None:
    assert is_statement(line)


@pytest.mark.parametrize(
    "line",
    [
        "The program is done.",
        "Done",
        "Done.",
        "Let's import the module:",
        "For each x, we add 1.",
        "for example, we may add them",
        "from this we see that x = 5",
        "So, x = 5",
        "Answer: x = 5",
        "Note: 5",
        "x = 5 apples",
        "x = 2y + 3",
        "x + y = 10",
        "f(x) = 3*x",
        "$x = 5$",
        "x = \\frac{1}{2}",
        "\\(x\\) is 5",
        "(a) Yes",
        "1. First",
        "- import it",
        "**Step 1**",
        "| a | b |",
        "数は5です",
        "x² = 4",
        "```python",
        "'Tis so",
        "16 - 3 = 13",
        "x == 5",
    ],
)
def test_prose(line: str) -> None:
    assert not is_statement(line)


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("import os", None),
        ("import os\n", True),
        ("\n\nimport os\n", True),
        ("This is\n", False),
        ("  \n\n", None),
        ("# Eggs left\n", True),
        ("```\nimport os\n", False),
        ("It is 5 ки", False),
        ("n = 5 ки", True),
        ("ки\nx = 1\n", False),
    ],
)
def test_the_first_line_tells_a_program_from_prose(text: str, program: bool | None) -> None:
    assert is_program(text, "ки") is program


def test_a_line_without_an_end_is_not_waited_for() -> None:
    assert is_program("x = " + "1 + " * 240, "\n\n") is None
    assert is_program("x = " + "1 + " * 260, "\n\n") is True
    assert is_program("Well, it is " + "so and " * 200, "\n\n") is False
    assert is_program(" " * 2_000, "\n\n") is False
