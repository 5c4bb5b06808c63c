import asyncio
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.generate.answers import Usage, choice_of, count, events, finish_of, mapping, text_of, usage_of
from prmkit.generate.server import Overlong, Trouble

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


class Response:
    """As aiohttp's: its content is an iterator of lines."""

    def __init__(self, *lines: bytes) -> None:
        self.lines, self.url = lines, "http://server"

    @property
    def content(self) -> Any:
        async def iterate() -> Any:
            for line in self.lines:
                yield line

        return iterate()


def read(*lines: bytes) -> list[Mapping[str, Any]]:
    async def collect() -> list[Mapping[str, Any]]:
        return [event async for event in events(Response(*lines))]  # type: ignore[arg-type]

    return asyncio.run(collect())


def test_events_are_the_objects_of_a_stream() -> None:
    lines = [b": keep-alive\n", b"\n", b'data: {"a": 1}\n', b'data:{"b": 2}\r\n', b"event: x\n", b"data: [DONE]\n"]
    assert read(*lines, b"data: [3]\n", b"data: null\n") == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"data: {\n", "an event that is no JSON"),
        (b"data: \xff\n", "an event that is no JSON"),
        (b'data: {"error": {"message": "overloaded"}}\n', "an error in mid-stream: .*overloaded"),
    ],
)
def test_a_stream_may_break(line: bytes, said: str) -> None:
    with pytest.raises(Trouble, match=said):
        read(line)


def test_a_stream_may_say_that_the_request_does_not_fit_the_context() -> None:
    said = (
        b'data: {"error": {"code": 400, "message": "the request exceeds the available context size", "n_ctx": 256}}\n'
    )
    with pytest.raises(Overlong, match=r"^http://server: .*exceeds the available context size") as refusal:
        read(said)
    assert refusal.value.sizes == (256, None)


@given(st.dictionaries(st.sampled_from(["choices", "usage"]), JSON) | st.just({"choices": [{}]}))
def test_whatever_an_answer_holds_it_is_read_or_asked_for_again(reply: dict[str, Any]) -> None:
    usage = usage_of(reply)
    assert all(isinstance(number, int) for number in usage)
    try:
        choice = choice_of(reply)
        text_of(choice)
        finish_of(choice)
    except Trouble:
        pass


def test_a_choice_its_text_and_its_end() -> None:
    choice = choice_of({"choices": [{"text": "a", "finish_reason": "stop"}, {}]})
    assert (text_of(choice), finish_of(choice)) == ("a", "eos")
    assert finish_of({"finish_reason": "length"}) == "length"
    assert finish_of({"finish_reason": "done"}, {"done": "eos"}) == "eos"
    with pytest.raises(Trouble, match="ended for another reason, 'abort'"):
        finish_of({"finish_reason": "abort"})


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}}, Usage(9, 4, 3)),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 5}, Usage(9, 0, 5)),
        ({"prompt_tokens": "9", "prompt_tokens_details": [1]}, Usage()),
        (None, Usage()),
    ],
)
def test_counts_are_those_that_are_told(usage: Any, read: Usage) -> None:
    assert usage_of({"usage": usage}) == read


def test_what_is_no_object_or_count_is_nothing() -> None:
    assert (mapping([1]), mapping({"a": 1})) == ({}, {"a": 1})
    assert (count({"a": 1.5}, "a"), count({"a": math.nan}, "a"), count({"a": 2}, "a")) == (0, 0, 2)
