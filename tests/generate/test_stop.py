import pytest

from prmkit.generate.stop import StepStop
from prmkit.segment.config import SegmenterConfig, bind_segmenter
from tests.fakes import at

LINES = bind_segmenter(SegmenterConfig(options={}), "\n")


@pytest.mark.parametrize(
    ("text", "end"),
    [("a", None), ("a\n", 2), ("a\nb\n", 2), ("\n\na\nb", 4), ("\n \n", None), ("", None)],
)
def test_a_text_is_cut_where_its_first_step_ends(text: str, end: int | None) -> None:
    assert StepStop(LINES).cut(text) == end


def test_a_text_that_comes_in_parts_is_cut_where_the_whole_is() -> None:
    text, known = "", 0
    for part in ("\n\n", "ab", "c\nd", "e\n"):
        text, known = text + part, len(text)
        if (end := StepStop(LINES).cut(text, known)) is not None:
            break
    assert text[:end] == "\n\nabc\n"


def test_what_was_carried_over_counts_and_is_no_part_of_the_length() -> None:
    assert StepStop(LINES, carried="a").cut("\n") == 1
    assert StepStop(LINES, carried="").cut("\n") is None
    assert StepStop(LINES, carried="a").ends("\n")


def test_a_stop_string_may_begin_in_what_was_carried_over() -> None:
    stop = at("ab")
    assert stop is not None
    assert StepStop(stop.segmenter, carried="xa").cut("b") == 1
    assert stop.cut("b") is None


def test_without_a_string_only_the_limit_ends_a_step() -> None:
    stop = StepStop(bind_segmenter(SegmenterConfig(name="tokens", options={"length": 3}), "\n"))
    assert (stop.strings, stop.tokens, stop.cut("a\nb")) == ((), 3, None)
