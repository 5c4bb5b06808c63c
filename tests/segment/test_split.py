from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from prmkit.errors import InputError
from prmkit.segment import Segmenter
from prmkit.segment.headings import headings
from prmkit.segment.separator import separator
from prmkit.segment.split import split
from prmkit.segment.statements import statements
from prmkit.segment.thoughts import thoughts
from prmkit.segment.tokens import tokens


@dataclass
class Counting:
    """Counts the characters that a segmenter is asked about."""

    inner: Segmenter
    read: int = field(default=0, init=False)

    @property
    def stops(self) -> tuple[str, ...]:
        return self.inner.stops

    @property
    def tokens(self) -> int | None:
        return self.inner.tokens

    def end(self, text: str) -> int | None:
        self.read += len(text)
        return self.inner.end(text)


def test_a_text_is_cut_behind_each_step() -> None:
    assert split("a\n\nb\n\nc", separator("\n\n")) == ["a\n\n", "b\n\n", "c"]


def test_several_steps_may_come_out_of_one_place() -> None:
    """Only the line behind a table tells that it is over, and that line is a step too."""
    assert split("| a |\nb\n", separator("\n", blocks=True)) == ["| a |\n", "b\n"]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        (" \n", [" \n"]),
        ("a\n\n\n\n", ["a\n\n\n\n"]),
        ("\n\n\n\na", ["\n\n\n\na"]),
        ("a\n\n \u00a0", ["a\n\n \u00a0"]),
    ],
)
def test_no_piece_is_blank_but_a_whole_one(text: str, pieces: list[str]) -> None:
    assert split(text, separator("\n\n")) == pieces


def test_without_stops_a_text_is_one_step() -> None:
    assert split("a\n\nb", tokens("\n", length=1)) == ["a\n\nb"]


@dataclass
class AtLength:
    """Ends a step at a number, once so many characters are there."""

    number: int
    stops: tuple[str, ...] = ("aa",)
    tokens: int | None = None

    def end(self, text: str) -> int | None:
        return self.number if len(text) >= self.number else None


def test_stops_may_overlap() -> None:
    assert split("aaab", AtLength(3)) == ["aaa", "b"]


@pytest.mark.parametrize("number", [0, -1])
def test_a_step_that_does_not_go_on_is_refused(number: int) -> None:
    with pytest.raises(InputError, match=f"AtLength: a step ends outside of its text, got {number}; expected 1 to 2"):
        split("aab", AtLength(number))


SIZE = 100_000
HOSTILE: dict[str, Callable[[], str]] = {
    "thousands of steps": lambda: "ab\n\n" * (SIZE // 4),
    "one open block": lambda: "```\n" + "x\n\n" * (SIZE // 3),
    "one line of stops": lambda: "Wait, " * (SIZE // 6),
    "blank lines": lambda: "\n" * SIZE,
    "many blocks": lambda: "$$\n\n" * (SIZE // 4),
    "open brackets": lambda: "f(\n" * (SIZE // 3),
    "an open string": lambda: '"""' + "\nx" * (SIZE // 2),
    "comments": lambda: "# c\n\n" * (SIZE // 5),
    "rows of a table": lambda: "| a |\n" * (SIZE // 6),
    "a long step behind short ones": lambda: "ab\n\n" * (SIZE // 8) + "x\n" * (SIZE // 4),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "segmenter",
    [separator("\n\n"), separator("\n", blocks=True), headings("\n"), thoughts("\n"), statements("\n\n")],
    ids=["separator", "lines", "headings", "thoughts", "statements"],
)
def test_a_long_text_is_read_a_few_times_and_no_more(segmenter: Segmenter, name: str) -> None:
    """Each reading is twice as long as the one before, so those of a step add up to four times what the last one read
    anew. Asking at every place would read a block of n characters some n / 6 times."""
    counting, text = Counting(segmenter), HOSTILE[name]()
    assert "".join(split(text, counting)) == text
    assert counting.read <= 8 * len(text)


HUGE: dict[str, Callable[[], str]] = {
    **{name: lambda make=make: make() * 20 for name, make in HOSTILE.items()},  # type: ignore[misc]
    "a fence": lambda: "`" * 20 * SIZE,
    "environments": lambda: "\\begin{a}" * 2 * SIZE,
    "dollars": lambda: "$$$ " * 5 * SIZE,
    "blanks": lambda: "\n" + " " * 20 * SIZE + "x",
    "quotes": lambda: '"' * 20 * SIZE + " Wait,",
    "backslashes": lambda: "\\" * 20 * SIZE,
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", HUGE)
def test_one_question_about_millions_of_characters_is_answered(name: str) -> None:
    """Here work that grew with the square of the text would take hours."""
    text = HUGE[name]()
    for segmenter in (separator("\n\n"), headings("\n"), thoughts("\n"), statements("\n")):
        end = segmenter.end(text)
        assert end is None or 0 < end <= len(text)
