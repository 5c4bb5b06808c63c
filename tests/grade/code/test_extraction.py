import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.grade.code.extraction import RULES, extract, find
from prmkit.tree import Problem

STUB = 'from typing import List\n\ndef f(a: List[int]) -> int:\n    """Sum."""\n'
STUBBED = Problem(id="p", prompt="?", domain="code", entry_point="f", stub=STUB)
METHOD_STUB = "class Solution:\n    def f(self, a):\n        "
METHOD = Problem(id="p", prompt="?", domain="code", entry_point="f", stub=METHOD_STUB)
BARE = Problem(id="p", prompt="Write def f(a, b=(1, 2)) now.", domain="code", entry_point="f")
SCRIPT = Problem(id="p", prompt="?", domain="code")

F = "def f(a):\n    return sum(a)\n"
READ = "n = int(input())\nprint(n)\n"


@pytest.mark.parametrize(
    ("solution", "program", "rule"),
    [
        (f"So:\n```python\n{F}```\nDone.", F, "block"),
        (F, F.strip(), "text"),
        (f"So it is.\n\n{F}\nThis is why, too.", F.strip(), "part of the text"),
        (f"1. So:\n\n   ```python\n   {F.strip()}\n   ```".replace("    ret", "       ret"), F, "block"),
        (f"```python\n{F}\nThis sums up the list.", F, "part of a block"),
        (f"```python\n%pip install x\n{F}```", F, "part of a block"),
        (f"{F}```\nIt sums up.", F, "block"),
        (f"[PYTHON]\n{F}[/PYTHON]", F.strip(), "part of the text"),
        ("So:\n\n    def f(a):\n        return sum(a)\n\nDone.", F.strip(), "indented block"),
        ("```\n>>> def f(a):\n...     return sum(a)\n>>> f([1])\n1\n```", F, "session"),
        (">>> def f(a):\n...     return sum(a)\n>>> f([1])\n1", F, "session"),
        (f"\ufeff```python\n{F}```<|im_end|>\n<|im_start|>user".replace("\n", "\r\n"), F, "block"),
        (f"{F}</s>", F.strip(), "text"),
        (f"```python\n{F}```<|endoftext|>Human: And f of f?\n```python\n{F}{F}```", F, "block"),
        (f"<|im_start|>assistant\n{F}<|im_end|>\n<|im_start|>user\n{F}", F.strip(), "text"),
        (f"{F}<\uff5cend\u2581of\u2581sentence\uff5c>", F.strip(), "text"),
        ("def f(a): return '<|endoftext|>'", "def f(a): return '<|endoftext|>'", "text"),
        (f"\x1b[32m{F}\x1b[0m", F.strip(), "text"),
        ("return sum(a)", "def f(a, b=(1, 2)):\n    return sum(a)", "body"),
        ("```py\nreturn 1\n```\nSo f(1) is\n```\n1\n```", "def f(a, b=(1, 2)):\n    return 1\n", "body"),
        ("I do not know", "I do not know", "as it stands"),
        ("```python\ndef f(a:\n```", "def f(a:\n", "as it stands"),
        ("def g(a):\n    return 1", "def g(a):\n    return 1", "as it stands"),
    ],
)
def test_the_program_of_a_function_and_the_rule_that_found_it(solution: str, program: str, rule: str) -> None:
    found = find(BARE, solution)
    assert found is not None
    assert (found.text, found.rule) == (program, rule)
    assert rule in RULES


@pytest.mark.parametrize(
    "behind",
    [
        "```\nf([1])\n```",
        "```text\n1\n```",
        "```python\nassert f([1]) == 1\n```",
        "```python\nfrom solution import f\nprint(f([1]))\n```",
        "```python\nf = Solution().f\n```",
        "```python\ndef f(a):\n    pass\n```",  # the stub again
        "```c\nint f(int *a) { return 0; }\n```",
        "```javascript\nf = a => 0\n```",
        "```bash\npython f.py\n```",
        "f is done.",
    ],
)
def test_what_stands_behind_a_program_does_not_replace_it(behind: str) -> None:
    assert extract(BARE, f"```python\n{F}```\nThat is:\n{behind}") == F


@pytest.mark.parametrize(
    "program",
    [
        "f = lambda a: sum(a)\n",
        "from operator import neg as f\n",
        "import operator\nf = operator.neg\n",
        "class Solution:\n    def f(self, a):\n        return sum(a)\n",
        "import functools\n@functools.cache\ndef f(a):\n    return a\n",
        "async def f(a):\n    return a\n",
        "try:\n    import numpy\nfinally:\n    def f(a): return a\n",
        "from __future__ import annotations\ndef f(a): return a\n",
        'def f(a):\n    """Doc.\n\n    ```\n    f([1])\n    ```\n    """\n    return a\n',
        "def f(a):\n\treturn a\n",
        "match 1:\n    case 1:\n        def f(a): return a\n",
    ],
)
def test_a_function_is_bound_in_many_ways(program: str) -> None:
    assert extract(BARE, f"```python\n{program}```") == program
    assert extract(BARE, f"So\n\n{program}\nas I said.") == program.strip()


def test_of_several_programs_the_last_counts_and_never_their_union() -> None:
    wrong = "def f(a):\n    return 0\n"
    assert extract(BARE, f"```python\n{wrong}```\nBetter:\n```python\n{F}```") == F
    assert extract(BARE, f"```python\nimport math\n```\nthen\n```python\n{F}```") == F
    assert extract(SCRIPT, f"```python\nprint(0)\n```\nfixed:\n```python\n{READ}```") == READ


@pytest.mark.parametrize("posed", [BARE, SCRIPT])
def test_what_was_thought_counts_only_where_the_answer_is_no_program(posed: Problem) -> None:
    draft, program = (
        f"<think>\nPerhaps\n```python\n{READ}{F}```\nNo.\n</think>",
        f"x = input()\ny = 1\nprint(x)\n{F.strip()}",
    )
    assert extract(posed, draft + program) == program
    assert extract(posed, draft + "The code above.") == extract(posed, draft)


def test_a_method_that_is_asked_for_may_be_the_body_of_a_function() -> None:
    posed = Problem(id="p", prompt="class Solution:\n    def f(self, a: int) -> int:", domain="code", entry_point="f")
    assert extract(posed, "    return a") == "def f(a):\n    return a"


def test_use_of_the_function_is_left_out() -> None:
    assert extract(BARE, f"```python\n{F}\nimport unittest\nunittest.main()\n```") == F + "\nimport unittest\n"
    assert extract(BARE, f"```python\n{F}\nassert f([1]) == 2\nprint(f(input()))\n```") == F


@pytest.mark.parametrize(
    ("solution", "program"),
    [
        ("    return sum(a)\n", STUB + "    return sum(a)\n"),
        # A base model goes on after the function: cut at the first line that is not indented.
        ("    b = 0\n\n    return b\n\nassert f([]) == 0\nprint(1)", STUB + "    b = 0\n\n    return b\n"),
        ("    return 1\n\n\ndef f(a):\n    return 2\n", STUB + "    return 1\n"),
        ("if a:\n    return 1\nreturn 2", STUB + "    if a:\n        return 1\n    return 2\n"),
        ("if a:\n    return 1", STUB + "    if a:\n        return 1\n"),
        ("return sum(a)", STUB + "    return sum(a)\n"),
        ("for b in a:\n        print(b)\n    return b", STUB + "    for b in a:\n        print(b)\n    return b\n"),
        ("    return sum(a)\n```\nIt sums.\n```python\nassert f([]) == 0\n```", STUB + "    return sum(a)\n"),
        ("```python\n    return sum(a)\n```", STUB + "    return sum(a)\n"),
        ("Sure:\n```python\ndef f(a):\n    return 1\n```", "def f(a):\n    return 1\n"),
        ("Step 1.\n\nimport re\ndef f(a):\n    return 1\n\nThis is why, too.", "import re\ndef f(a):\n    return 1"),
        # What is restated takes from the stub what it lacks.
        ("def f(a: List[int]):\n    return 1\n", "from typing import List\ndef f(a: List[int]):\n    return 1"),
        (
            "from __future__ import annotations\ndef f(a: List[int]):\n    return 1",
            "from __future__ import annotations\nfrom typing import List\ndef f(a: List[int]):\n    return 1",
        ),
    ],
)
def test_a_completion_is_put_after_its_stub_and_a_whole_program_stands_alone(solution: str, program: str) -> None:
    assert extract(STUBBED, solution) == program


def test_helpers_of_the_stub_are_given_too() -> None:
    posed = Problem(id="p", prompt="?", entry_point="f", stub="def g(x): return x\n\n@cache\ndef f(a):\n")
    assert extract(posed, "def f(a): return g(a)") == "def g(x): return x\ndef f(a): return g(a)"


def test_the_body_of_a_method_goes_on_from_its_class() -> None:
    body = "        return a\n\n    def g(self):\n        pass\n"
    assert extract(METHOD, body) == METHOD_STUB + "\n" + body
    assert extract(METHOD, "return a") == METHOD_STUB + "\n        return a\n"


@pytest.mark.parametrize(
    "solution",
    [
        f"Read it.\n```python\n{READ}```\nDone.",
        f"```python\n{READ}```\nInput:\n```\n3\n```\nOutput:\n```\n3\n```",
        f"```python\n{READ}```\nRun it:\n```\nprint(3)\n```",
        f"```python\n{READ}```\n```bash\nls -l\n```",
        f"```python\n{READ}```\nThe first line:\n```python\nn = int(input())\n```",
        f"```cpp\nint main() {{}}\n```\n```python\n{READ}```\n```cpp\nint main() {{}}\n```",
        f"So: ```python\n{READ}```.",
        f"~~~python\n{READ}~~~",
        f"````markdown\n```python\n{READ}```\n````",
        f"```\n{READ}```",
        f"```python\n{READ}```\n```\n\n```",
        f"```{{.python}}\n{READ}",
    ],
)
def test_the_program_of_a_script(solution: str) -> None:
    assert extract(SCRIPT, solution) == READ


def test_a_script_without_a_fence() -> None:
    assert extract(SCRIPT, f"Read it.\n{READ}That is all, folks!") == READ.strip()
    assert extract(SCRIPT, f"{READ}```\nIt works.") == READ
    assert extract(SCRIPT, "42") == "42"  # judged as what it is


@pytest.mark.parametrize("solution", ["", " \n ", "```python\n```", "```\n\n```\n", "<|im_end|>"])
def test_a_blank_solution_has_no_program(solution: str) -> None:
    assert find(BARE, solution) is find(SCRIPT, solution) is find(STUBBED, solution) is None


def test_code_within_steps_keeps_its_indentation() -> None:
    # A blank line ends a step, so a block of code may lie in two steps, joined by a newline.
    steps = ["First, the idea.", "```python\ndef f(a):\n    b = 1", "    return b\n```"]
    assert extract(STUBBED, "\n".join(steps)) == "def f(a):\n    b = 1\n    return b\n"


PIECES = [
    "```", "```python\n", "~~~\n", "\n", "    ", F, READ, "def f(", "class Solution:\n", '"""', "'", "(", "{", "\\\n",
    ">>> x\n", "x = 1\n", "x\n", "try:\n", "@x\n", "# c\n", "prose it is\n", "return a\n", "</s>", "\x1b[", "\x00",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_text_has_a_program_or_is_blank(text: str) -> None:
    for posed in (BARE, STUBBED, METHOD, SCRIPT):
        found = find(posed, text)
        assert found is None or (found.text.strip() and found.rule in RULES)


@pytest.mark.parametrize("piece", PIECES)
def test_long_texts_are_searched_in_linear_time(piece: str) -> None:
    text, start = "No code:\n" + piece * (30_000 // len(piece)), time.process_time()
    for posed in (STUBBED, SCRIPT):
        find(posed, text)
    assert time.process_time() - start < 10  # a quadratic search takes minutes
