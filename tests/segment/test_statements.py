import ast

import pytest

from prmkit.segment import blocks
from prmkit.segment.split import split
from prmkit.segment.statements import STARTS, statements

PROGRAM = '''\
"""What it does."""
import os
from math import (
    pi,
)

# Meals a day
# and a night

@cache
@other(
1)
def f(x):
    if x:
        return """
not a line of its own
"""

    # no comment of its own
    return x
# a comment within
    return y
try:
    pass
# if not
except ValueError:
    pass
else:
    pass
finally:
    pass
eggs = 3
final_eggs = [
1,
]
for i in range(3):
    pass
elements = eggs \\
+ 1
_x = 1
(a, b) = 1, 2
case = 1
"text"
if eggs:
    pass
elif x:
    pass
'''

STEPS = [
    '"""What it does."""\n',
    "import os\n",
    "from math import (\n    pi,\n)\n\n",
    '# Meals a day\n# and a night\n\n@cache\n@other(\n1)\ndef f(x):\n    if x:\n        return """\n'
    'not a line of its own\n"""\n\n    # no comment of its own\n    return x\n# a comment within\n    return y\n',
    "try:\n    pass\n# if not\nexcept ValueError:\n    pass\nelse:\n    pass\nfinally:\n    pass\n",
    "eggs = 3\n",
    "final_eggs = [\n1,\n]\n",
    "for i in range(3):\n    pass\n",
    "elements = eggs \\\n+ 1\n",
    "_x = 1\n",
    "(a, b) = 1, 2\n",
    "case = 1\n",
    '"text"\n',
    "if eggs:\n    pass\nelif x:\n    pass\n",
]


def test_the_example_is_python() -> None:
    assert len(ast.parse(PROGRAM).body) == len(STEPS)


def test_a_program_is_cut_into_its_statements() -> None:
    assert split(PROGRAM, statements("\n\n", fenced=False)) == STEPS


def test_a_program_that_begins_the_text_needs_no_fence() -> None:
    assert split(PROGRAM, statements("\n\n")) == STEPS


def test_a_fenced_program_between_prose() -> None:
    text = f"First think.\n\nThen write:\n```python\n{PROGRAM}```\nIt is done.\n\nx is 5 now.\n\nBye"
    first, *others, last = STEPS
    assert split(text, statements("\n\n")) == [
        "First think.\n\n",
        f"Then write:\n```python\n{first}",
        *others,
        f"{last}```\n",
        "It is done.\n\n",
        "x is 5 now.\n\n",
        "Bye",
    ]


def test_a_fence_behind_a_heading() -> None:
    text = "### Solution\n\n```\nx = 1\ny = 2\n```\n"
    assert split(text, statements("\n\n")) == ["### Solution\n\n```\nx = 1\n", "y = 2\n```\n"]


def test_a_program_that_prose_breaks_off() -> None:
    text = "x = 1\n\n```python\ny = 2\nz = 3\n```\nDone.\n"
    assert split(text, statements("\n")) == ["x = 1\n\n```python\ny = 2\n", "z = 3\n```\n", "Done.\n"]


def test_a_block_without_statements_is_a_step() -> None:
    assert split("```\n\n```\nx\ny\n", statements("\n")) == ["```\n\n```\n", "x\n", "y\n"]


def test_an_end_is_noticed_at_a_stop_and_not_before() -> None:
    """The last line of a block may hold blanks, which no stop does: the next stop tells then."""
    segmenter = statements("\n\n")
    assert segmenter.end("```\nx = 1\n```\n") == 14
    assert segmenter.end("```\nx = 1\n``` \n") is None
    assert segmenter.end("```\nx = 1\n``` \nD") == 15
    assert segmenter.end("x = 1\n\n") is None
    assert segmenter.end("x = 1\n\ny") == 7


@pytest.mark.parametrize("step_end", ["\n", "\n\n"])
def test_separators_within_a_program_end_nothing(step_end: str) -> None:
    text = "```\ndef f():\n\n    return 1\n\nx = 1\n```\n"
    assert split(text, statements(step_end)) == ["```\ndef f():\n\n    return 1\n\n", "x = 1\n```\n"]


def test_no_more_is_carried_over_than_tells_that_a_statement_begins() -> None:
    segmenter = statements("\n\n", fenced=False)
    assert segmenter.end("x = 1\n") is None
    assert segmenter.end("x = 1\ny") == 6
    # These may yet become ``else``, ``except`` and ``finally``.
    for word in ("e", "el", "els", "ex", "exc", "f", "fi", "fin", "final", "else", "finally"):
        assert segmenter.end("x = 1\n" + word) is None
    for word in ("eg", "ele", "exp", "fo", "f(", "fir", "find", "final_", "final "):
        assert segmenter.end("x = 1\n" + word) == 6
    # A comment may stand within the statement above it; it is carried over when it does not.
    assert segmenter.end("x = 1\n# then\n") is None
    assert segmenter.end("x = 1\n# then\ny") == 6


def test_every_start_tells_a_statement() -> None:
    segmenter = statements("\n", fenced=False)
    assert segmenter.stops == tuple(f"\n{start}" for start in sorted(STARTS))
    # A decorator begins one too; a number of others would be none in Python, and do no harm.
    assert all(segmenter.end("x\n" + start) == 2 for start in STARTS)
    assert not any(a != b and a.startswith(b) for a in STARTS for b in STARTS)


def test_a_body_without_its_head_is_one_step() -> None:
    text = "    x = 1\n    return x\n\nprint(1)\n"
    assert split(text, statements("\n", fenced=False)) == ["    x = 1\n    return x\n\n", "print(1)\n"]


@pytest.mark.parametrize("opening", ["f(", "@f(", 'x = """', "x = {"])
def test_what_is_never_closed_does_not_swallow_a_long_program(opening: str) -> None:
    first, *others = split(f"{opening}\n" + "x = 1\n" * 4_000, statements("\n"))
    assert blocks.LONGEST < len(first) <= blocks.LONGEST + 20
    assert set(others) == {"x = 1\n"}
