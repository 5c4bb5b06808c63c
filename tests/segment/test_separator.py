import pytest

from prmkit.segment import blocks
from prmkit.segment.separator import separated, separator
from prmkit.segment.split import split


def test_a_step_ends_right_behind_the_separator() -> None:
    assert separator("\n\n").end("a\n\nb") == 3
    assert separator("\n\n").end("a\n") is None


def test_what_else_came_with_it_begins_the_next_step() -> None:
    """One token may hold several line breaks, or a line break and the indentation behind it."""
    assert separator("\n\n").end("a\n\n\n  x") == 3
    assert split("a\n\n\n  x\n\n\n\nb", separator("\n\n")) == ["a\n\n", "\n  x\n\n", "\n\nb"]


@pytest.mark.parametrize("text", ["\n\n", "\n\n\n\n", " \n\n\t\n\n", "\n\na\n"])
def test_leading_separators_end_no_step(text: str) -> None:
    assert separator("\n\n").end(text) is None


def test_an_empty_step_is_none_where_a_separator_is_a_word() -> None:
    assert split("ки ки a ки b ки", separator("ки")) == ["ки ки a ки", " b ки"]
    assert list(separated("--a--b--", "--")) == [5, 8]


def test_a_program_in_a_fenced_block_stays_whole() -> None:
    text = (
        "The program:\n\n"
        "```python\nmeals = 3\n\n# Eggs left after the meals\neggs_left = 16 - meals\n\nprint(eggs_left)\n```\n\n"
        "It prints 13."
    )
    program = text.removeprefix("The program:\n\n").removesuffix("It prints 13.")
    assert split(text, separator("\n\n")) == ["The program:\n\n", program, "It prints 13."]
    assert len(split(text, separator("\n\n", blocks=False))) == 5


@pytest.mark.parametrize(
    "block",
    [
        "\\begin{align*}\n a &= b \\\\\n\n c\n\\end{align*}",
        "\\begin{align}\n\\begin{cases}\n\n\\end{cases}\n\n\\end{align}",
        "\\[\nx\n\n= 1\n\\]",
        "$$\nx\n\n= 1\n$$",
        "~~~\na\n\nb\n~~~",
        "We get $$\n\nx$$",
    ],
)
def test_a_block_stays_whole(block: str) -> None:
    assert split(f"So\n\n{block}\n\nand\n\nend", separator("\n\n")) == ["So\n\n", f"{block}\n\n", "and\n\n", "end"]


@pytest.mark.parametrize(
    ("step_end", "kept"), [("\n\n", True), ("\n---\n", True), ("\n", False), ("\r\n", False), (" ки", False)]
)
def test_blocks_are_kept_by_default_unless_a_step_is_a_line(step_end: str, kept: bool) -> None:
    text = f"```\na{step_end}b"
    assert (separator(step_end).end(text) is None) == kept
    assert separator(step_end, blocks=True).end(text) is None
    assert separator(step_end, blocks=False).end(text) == text.index(step_end) + len(step_end)


def test_a_block_that_is_never_closed_is_one_step_to_the_end() -> None:
    assert split("a\n\n```\nb\n\nc\n\nd", separator("\n\n")) == ["a\n\n", "```\nb\n\nc\n\nd"]


def test_but_it_does_not_swallow_a_long_text() -> None:
    """The first separator stands at 6, so the first one that is more than LONGEST behind it ends the step."""
    text = "$$\nab\n\n" + "xyz\n\n" * 5_000
    first, *others = split(text, separator("\n\n"))
    assert blocks.LONGEST + 7 < len(first) <= blocks.LONGEST + 7 + 5
    assert set(others) == {"xyz\n\n"}


def test_a_table_stays_whole_where_steps_are_lines() -> None:
    text = "Values:\n| a |\n|---|\n| 1 |\nSo 1.\nDone"
    lines = separator("\n", blocks=True)
    assert split(text, lines) == ["Values:\n", "| a |\n|---|\n| 1 |\n", "So 1.\n", "Done"]
    # Whether a row was the last one is told by the next line, once that has ended.
    assert lines.end("| 1 |\n") is None
    assert lines.end("| 1 |\nSo 1.") is None
    assert lines.end("| 1 |\nSo 1.\n") == 6
    assert lines.end("| 1 |\n\n") == 6


def test_a_blank_line_ends_a_table() -> None:
    assert split("| a |\n| 1 |\n\n| b |", separator("\n\n")) == ["| a |\n| 1 |\n\n", "| b |"]


def test_a_separator_within_a_row_ends_nothing() -> None:
    assert split("| a; | b |\nc; d", separator("; ", blocks=True)) == ["| a; | b |\nc; ", "d"]


def test_an_endless_table_is_cut_too() -> None:
    pieces = split("| a |\n" * 4_000, separator("\n", blocks=True))
    assert blocks.LONGEST < len(pieces[0]) <= blocks.LONGEST + 12


def test_lines_may_end_in_two_characters() -> None:
    assert split("a\r\n\r\nb\r\n", separator("\r\n\r\n")) == ["a\r\n\r\n", "b\r\n"]
