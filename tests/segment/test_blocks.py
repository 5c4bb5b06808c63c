import pytest

from prmkit.segment.blocks import LONGEST, Blocks, Hold, fence_closing, fence_from, is_bare


def open_marks(text: str) -> str:
    """For each ``@`` of a text, in order, whether a block is open right before it: 1 or 0."""
    places = [place for place, sign in enumerate(text) if sign == "@"]
    blocks = Blocks(text)
    return "".join(str(int(blocks.open_at(place))) for place in places)


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("@\n```\n@x\n@", "011"),
        ("a\n```python\n@x\n```\n@", "10"),
        ("   ~~~ text\n@\n~~~\n@", "10"),
        # At most three blanks before a fence; a fence is closed by its own kind, at least as long, with nothing behind.
        ("    ```\n@", "0"),
        ("```\n~~~\n@\n```\n@", "10"),
        ("````\n```\n@\n`````\n@", "10"),
        ("```\n``` x\n@\n```  \n@", "10"),
        # Backticks behind backticks: code within a line.
        ("```x```\n@", "0"),
        ("``\n@", "0"),
        ("say ```\n@", "0"),
        # A fence is none before its line ends.
        ("```@", "0"),
        ("```\r\n@\r\n```\r\n@", "10"),
    ],
)
def test_fenced_blocks(text: str, marks: str) -> None:
    assert open_marks(text) == marks


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        (r"@\begin{align*}@ a @\end{align*}@", "0110"),
        (r"\begin{align}\begin{cases}@\end{cases}@\end{align}@", "110"),
        (r"\begin{array}\begin{array}@\end{array}@\end{array}@", "110"),
        (r"\begin{array}\end{matrix}@\end{array}@", "10"),
        (r"\end{array}@\begin{}@\begin{array@", "000"),
        (r"\[@x\]@", "10"),
        # A line break of an array with its distance.
        (r"x \\[2pt] @", "0"),
        (r"\[ a \\[2pt] @ b \] @", "10"),
    ],
)
def test_environments_and_brackets(text: str, marks: str) -> None:
    assert open_marks(text) == marks


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("$$\n@x\n@$$\n@", "110"),
        ("  $$@x$$@", "10"),
        ("so we get $$\n@x$$@", "10"),
        ("so $$x$$@ and $$y$$\n@", "00"),
        ("$@x$@", "00"),
        # In the middle of a line, and not closed in it: a price, or a shell's own number.
        ("it costs $$ a lot\n@", "0"),
        (r"it costs \$$" + "\n@", "0"),
    ],
)
def test_dollars(text: str, marks: str) -> None:
    assert open_marks(text) == marks


def test_what_stands_in_a_block_opens_none() -> None:
    assert open_marks("```\n\\begin{align}\n$$\n```\n@") == "0"
    assert open_marks("\\begin{verbatim}\n```\n\\end{verbatim}\n@") == "0"


def test_a_block_that_is_never_closed_is_open_to_the_end() -> None:
    assert open_marks("\\[ x \n\n```\n@\n```\n@") == "11"


def test_ends_are_held_back_for_a_while() -> None:
    hold = Hold()
    assert [hold.back(place) for place in (500, 500 + LONGEST, 501 + LONGEST, 600 + LONGEST)] == [
        True,
        True,
        False,
        False,
    ]


def test_a_fence_without_words_can_close() -> None:
    text = "a\n```python\nx\n~~~\n``\n```\n````\n"
    fence = fence_from(text, 0)
    assert fence is not None
    assert (fence[0], is_bare(fence)) == ("```python\n", False)
    closing = fence_closing(text, "```", fence.end())
    assert closing is not None
    assert text[: closing.start()] == "a\n```python\nx\n~~~\n``\n"
    assert fence_closing(text, "`````", 0) is None
