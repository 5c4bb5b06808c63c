import pytest

from prmkit.segment import blocks
from prmkit.segment.split import split
from prmkit.segment.thoughts import MARKERS, thoughts


def test_paragraphs_are_put_together_to_a_length() -> None:
    assert split("abcd\n\nefgh\n\nijkl\n\nm", thoughts("\n", length=10)) == ["abcd\n\nefgh\n\n", "ijkl\n\nm"]


def test_a_paragraph_that_is_long_enough_is_a_step() -> None:
    """Ten characters before the blank line, of which those in front of the first word do not count."""
    assert thoughts("\n", length=10).end("\n\n 0123456789\n\n") == 15
    assert thoughts("\n", length=11).end("\n\n 0123456789\n\n") is None


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("before", ["That is 12. ", "Is it 12?\n", "So 12\n\n", 'He said "12!" ', "It is **12.**  "])
def test_a_thought_that_turns_round_begins_a_step(before: str, marker: str) -> None:
    segmenter = thoughts("\n", least=5)
    assert split(f"{before}{marker}, no.", segmenter) == [before, f"{marker}, no."]
    assert segmenter.end(before + marker) is None, "it may yet become a longer word"


@pytest.mark.parametrize(
    "text",
    [
        "I told him: Wait, please do.",
        "That is long enough. Waiting for more.",
        "That is long enough. Wait2 is a name.",
        "That is long enough. wait, please.",
        "That is long enough.Wait, please.",
        "That is long enough, Actually, it is.",
        "That is long enough. Let me checkout now.",
        "Wait, what?",
    ],
)
def test_what_is_no_marker(text: str) -> None:
    assert split(text, thoughts("\n", least=5)) == [text]


def test_what_stands_before_a_marker_has_a_least_length() -> None:
    """``So 12.`` has six characters."""
    assert thoughts("\n", least=6).end("So 12. Wait, no.") == 7
    assert thoughts("\n", least=7).end("So 12. Wait, no.") is None


def test_a_marker_behind_a_paragraph_that_ended_a_step_ends_no_other() -> None:
    assert split("0123456789\n\nWait, no.", thoughts("\n", length=10, least=5)) == ["0123456789\n\n", "Wait, no."]


def test_a_marker_alone_in_its_paragraph() -> None:
    assert split("0123456789\n\nHmm\n\nabc", thoughts("\n", length=3, least=3)) == ["0123456789\n\n", "Hmm\n\n", "abc"]


@pytest.mark.parametrize(
    "block",
    ["```\nprint(1)\n\nWait, no. Wait, no.\n```", "\\begin{align}\n a.\n\nWait, \\end{align}", "$$\nx\n\ny\n$$"],
)
def test_a_block_stays_whole(block: str) -> None:
    text = f"Look at this one:\n{block}\n\nSo it is."
    assert split(text, thoughts("\n", length=5, least=5)) == [text.removesuffix("So it is."), "So it is."]


def test_a_block_that_is_never_closed_does_not_swallow_a_thought() -> None:
    first, *others = split("\\[\n" + "One more paragraph.\n\n" * 2_000, thoughts("\n", length=10))
    assert blocks.LONGEST < len(first) < blocks.LONGEST + 50
    assert set(others) == {"One more paragraph.\n\n"}


def test_by_default_a_step_has_some_hundred_tokens() -> None:
    text = ("A sentence of thirty letters. " * 2 + "\n\n") * 14
    pieces = split(text, thoughts("\n"))
    # Seven paragraphs of 62 characters, without the last blank line, are the first to have 400.
    assert [len(piece) for piece in pieces] == [7 * 62, 7 * 62]
