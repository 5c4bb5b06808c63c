import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prmkit.generate.stop import StepStop
from prmkit.generate.stops import StepEnds
from prmkit.generate.thoughts import Closing
from tests.tiny import tiny_bpe_tokenizer, tiny_tokenizer

BPE = tiny_bpe_tokenizer()
ENDS = StepEnds(BPE)


def first_end(ends: StepEnds, ids: list[int], stop: str) -> int | None:
    return next((end for end in range(1, len(ids) + 1) if ends.reached((), ids[:end], StepStop(Closing(stop)))), None)


def ids_of(text: str) -> list[int]:
    return list(BPE(text, add_special_tokens=False)["input_ids"])


def test_a_token_may_hold_more_than_the_stop_string() -> None:
    ids = ids_of("We add two and two.\nThe sum")
    texts = [BPE.decode([token]) for token in ids]
    holder = next(index for index, text in enumerate(texts) if "\n" in text)
    assert texts[holder] != "\n"  # the tokenizer merged it with its neighbours
    assert first_end(ENDS, ids, "\n") == holder + 1


def test_a_stop_string_may_span_tokens() -> None:
    ids = ids_of("zqx zqx")
    end = first_end(ENDS, ids, "x zq")
    assert end is not None
    assert "x zq" in BPE.decode(ids[:end])
    assert "x zq" not in BPE.decode(ids[: end - 1])


@pytest.mark.parametrize("stop", ["é", "🙂", "a🙂", "\n\n", " "])
def test_characters_of_several_bytes_and_blanks(stop: str) -> None:
    ids = ids_of(f"we see {stop} and {stop}")
    expected = next(end for end in range(1, len(ids) + 1) if stop in BPE.decode(ids[:end]))
    assert first_end(ENDS, ids, stop) == expected


@settings(max_examples=200)
@given(
    st.lists(st.integers(3, len(BPE) - 1), min_size=1, max_size=40),
    st.sampled_from(["\n", ".\n", "two", "e s", "a", "the", "\x00", "."]),
)
def test_the_end_is_the_first_whose_text_holds_the_string(ids: list[int], stop: str) -> None:
    expected = next((end for end in range(1, len(ids) + 1) if stop in BPE.decode(ids[:end])), None)
    assert first_end(ENDS, ids, stop) == expected


def test_words() -> None:
    tokenizer = tiny_tokenizer()
    ids = list(tokenizer("a b \n c", add_special_tokens=False)["input_ids"])
    assert first_end(StepEnds(tokenizer), ids, "\n") == 3


def test_what_stands_before_a_mark_is_kept_to_the_character() -> None:
    """A token may hold the end of the answer and the beginning of the mark."""
    ids = ids_of("We add two and two.\n")
    holder, text = max(enumerate(ENDS.texts.of((), ids)), key=lambda each: len(each[1]))
    assert len(text) > 3
    before = BPE.decode(ids[:holder])
    kept = StepEnds(BPE, (text[2:],)).before_mark(ids[: holder + 1])
    assert kept is not None
    assert BPE.decode(kept) == before + text[:2]


def test_a_mark_is_found_when_it_is_whole_and_no_sooner() -> None:
    ends = StepEnds(BPE, ("<END>", "<|go|>"))
    assert ends.before_mark(ids_of("It is <END")) is None
    assert ends.before_mark(ids_of("<END>")) == ()
    assert ends.before_mark(ids_of("<|go|>")) == ()
    far = "We add two and two. " * 20
    found = ends.before_mark(ids_of(f"{far}<END>"))
    assert found is not None
    assert BPE.decode(found) == far
    assert StepEnds(BPE).before_mark(ids_of("<END>")) is None
