import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.grade.code.fences import Block, split


def blocks(text: str) -> list[str]:
    return [block.text for block in split(text, lambda before: "code" in before)[0]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a\n```python\nx\ny\n```\nb", ["x\ny\n"]),
        ("```\nx\n```\nb\n```\ny\n```", ["x\n", "y\n"]),
        ("~~~python\nx\n```\ny\n~~~", ["x\n```\ny\n"]),  # another sign closes nothing
        ("````\n```python\nx\n```\n````", ["```python\nx\n```\n"]),  # nor does a shorter fence
        ("```python\nx\n\ny", ["x\n\ny\n"]),  # without an end
        ("1. So:\n\n   ```python\n   if x:\n       y\n   ```\nb", ["if x:\n    y\n"]),
        ("- ```python\n  x\n  ```", ["x\n"]),
        ("\t```python\n\tx\n\t```", ["x\n"]),
        ("  ```python\n  x = '''\na\n  '''\n  ```", ["x = '''\na\n'''\n"]),  # not all lines are indented
        ("> ```python\n> x\n>\n> y\n> ```", ["x\n\ny\n"]),
        ("So: ```python\nx\n```", ["x\n"]),  # behind other text
        ("```python\nx\ny```\nb", ["x\ny\n"]),  # behind the last line
        ("```python\nx\ny```.", ["x\ny\n"]),
        ("Take ```x``` and ``` y.", []),
        ("```python\nx\n```python\ny\n```", ["x\n", "y\n"]),  # another block opens
        ("```python\nx\n    ```\n    y\n    ```\nz\n```", ["x\n    ```\n    y\n    ```\nz\n"]),  # far inside
        ('```python\nx\n  """\n  ```\n  y\n  ```\n  """\nz\n```', ['x\n  """\n  ```\n  y\n  ```\n  """\nz\n']),
        ("code\n```\nb", ["code\n"]),  # closes what stands before it
        ("code\n```\nb\n```\n1\n```", ["code\n", "1\n"]),
        ("say\n```\nx\n```", ["x\n"]),
        ("```\n\n```", ["\n"]),
        ("", []),
    ],
)  # fmt: skip
def test_the_blocks_of_a_text(text: str, found: list[str]) -> None:
    assert blocks(text) == found


@pytest.mark.parametrize(
    ("info", "foreign"),
    [
        ("", False),
        ("python", False),
        ("Python3", False),
        ("py", False),
        (" {.python .numbered}", False),
        ("python title=\"a.py\"", False),
        ("pycon", False),
        ("cpp", True),
        ("text", True),
        ("bash", True),
    ],
)  # fmt: skip
def test_the_language_of_a_block(info: str, foreign: bool) -> None:
    assert split(f"```{info}\nx\n```", lambda _: False)[0] == [Block("x\n", foreign)]


def test_what_stands_outside_is_kept_in_order() -> None:
    assert split("a\n```\nx\n```\nb\nSo: ```\ny\n```", lambda _: False)[1] == ["a\n", "b\nSo: ", ""]


PIECES = ["```", "~~~", "`", "python", "\n", " ", "\t", "> ", "- ", "code", "{", '"""', "\nx\n", "````"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_no_line_is_lost_but_fences(text: str) -> None:
    found, outside = split(text, lambda _: False)
    assert "".join([*(block.text for block in found), *outside]).count("x") == text.count("x")


@pytest.mark.parametrize("piece", [*PIECES, "~~~ `", "> ```\n", "```x```", "  ```a b c d e\n"])
def test_long_texts_are_split_in_linear_time(piece: str) -> None:
    start = time.process_time()
    split(piece * (200_000 // len(piece)), lambda _: False)
    assert time.process_time() - start < 3  # a quadratic one takes minutes
