import pytest

from prmkit.grade.code.extraction import extract, normalised
from prmkit.tree import Problem

STUB = 'from typing import List\n\ndef f(a: List[int]) -> int:\n    """Sum."""\n'
POSED = Problem(id="p", prompt="?", domain="code", entry_point="f", stub=STUB)


@pytest.mark.parametrize(
    ("solution", "program"),
    [
        ("    return sum(a)\n", STUB + "    return sum(a)\n"),
        # A base model goes on after the function: cut at the first line that is not indented.
        ("    b = 0\n\n    return b\n\nassert f([]) == 0\nprint(1)", STUB + "    b = 0\n\n    return b\n\n"),
        ("return sum(a)", STUB + "    return sum(a)\n"),
        ("Sure:\n```python\ndef f(a):\n    return 1\n```", "def f(a):\n    return 1\n"),
        ("Step 1.\n\nimport re\ndef f(a):\n    return 1\n\nThis is why, too.", "import re\ndef f(a):\n    return 1"),
    ],
)  # fmt: skip
def test_a_completion_is_put_after_its_stub_and_a_whole_program_stands_alone(solution: str, program: str) -> None:
    assert extract(POSED, solution) == program


def test_a_script_is_its_block_as_it_is() -> None:
    posed = Problem(id="p", prompt="?", domain="code")
    assert extract(posed, "Read it.\n```python\nprint(input())\n```\nDone.") == "print(input())\n"
    assert extract(posed, "Read it.\nn = int(input())\nprint(n)\nThat is all, folks!") == "n = int(input())\nprint(n)"


def test_code_within_steps_keeps_its_indentation() -> None:
    # A blank line ends a step, so a block of code may lie in two steps, joined by a newline.
    steps = ["First, the idea.", "```python\ndef f(a):\n    b = 1", "    return b\n```"]
    assert extract(POSED, "\n".join(steps)) == "def f(a):\n    b = 1\n    return b\n"


def test_normalised_text_ignores_names_comments_and_layout() -> None:
    one = 'def f(a):\n    """Doc."""\n    total = 0  # start\n    for x in a: total += x\n    return total'
    other = "def f(values: list) -> int:\n    s = 0\n    for v in values:\n        s += v\n    return s"
    assert normalised(one) == normalised(other) != normalised(other.replace("+=", "-="))
    assert normalised("no python (") == "no python ("
