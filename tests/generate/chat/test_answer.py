import logging
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.generate.answers import Usage
from prmkit.generate.chat.answer import InBand, StreamedAnswer
from prmkit.generate.server import Trouble
from prmkit.generate.thoughts import Tags

TAGS = Tags("<t>", "</t>")


def taken(*events: Mapping[str, Any], **options: Any) -> StreamedAnswer:
    answer = StreamedAnswer(options.pop("tags", TAGS), **options)
    for event in events:
        answer.take(event)
    return answer


def delta(finish: Any = None, **message: Any) -> dict[str, Any]:
    return {"choices": [{"delta": message, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("thinking", "parts", "text"),
    [
        (False, [("a", ""), ("b", ""), ("", "c")], "<t>ab</t>c"),
        (False, [("a", "c")], "<t>a</t>c"),
        (False, [("", "c"), ("", "d")], "cd"),
        (False, [("a", ""), ("", "c"), ("b", ""), ("", "d")], "<t>a</t>c<t>b</t>d"),
        (False, [("a", "")], "<t>a"),
        (True, [("a", ""), ("", "c")], "a</t>c"),
        (True, [("", "a</t>c")], "a</t>c"),  # a server that keeps nothing apart
        (True, [("", "c")], "c"),
    ],
)
def test_thoughts_stand_within_their_tags(thinking: bool, parts: list[tuple[str, str]], text: str) -> None:
    band = InBand(TAGS, thinking=thinking)
    assert "".join(band.add(*part) for part in parts) == text


def test_without_tags_thoughts_are_left_out() -> None:
    assert "".join(InBand(None, thinking=False).add(*part) for part in (("a", ""), ("b", "c"))) == "c"


@given(st.lists(st.tuples(st.booleans(), st.text(st.characters(exclude_characters="<>"), min_size=1)), max_size=8))
def test_however_an_answer_is_cut_into_events_it_is_the_same_text(runs: list[tuple[bool, str]]) -> None:
    def text(parts: list[tuple[bool, str]]) -> str:
        band = InBand(TAGS, thinking=False)
        return "".join(band.add(*((said, "") if thought else ("", said))) for thought, said in parts)

    assert text(runs) == text([(thought, letter) for thought, said in runs for letter in said])


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning": "a", "content": "c"},
        {"reasoning_content": "a", "content": "c"},
        {"reasoning": "a", "reasoning_content": "a", "content": "c"},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "a"}]},
                {"type": "text", "text": "c"},
            ]
        },
    ],
)
def test_thought_and_words_are_read_from_whatever_field(message: dict[str, Any]) -> None:
    assert taken(delta(**message)).text == "<t>a</t>c"
    assert taken({"choices": [{"message": message, "finish_reason": "stop"}]}).text == "<t>a</t>c"


@pytest.mark.parametrize("message", [{}, {"content": None}, {"role": "assistant"}, {"content": 3}, {"reasoning": [3]}])
def test_an_event_may_say_nothing(message: dict[str, Any]) -> None:
    assert taken(delta(**message), delta(content="c")).text == "c"


@pytest.mark.parametrize(
    ("reason", "finish", "warns"),
    [
        ("stop", "eos", False),
        ("length", "length", False),
        ("model_length", "length", False),
        ("content_filter", "length", True),
        ("tool_calls", "length", True),
    ],
)
def test_why_it_ended(reason: str, finish: str, warns: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert taken(delta(content="c"), delta(reason)).finish == finish
    assert bool(caplog.records) == warns
    assert taken(delta(content="c")).finish is None


@pytest.mark.parametrize("event", [delta("abort"), delta(["stop"]), delta(3), {}, {"choices": []}, {"choices": [3]}])
def test_what_makes_no_sense_is_asked_for_again(event: dict[str, Any]) -> None:
    with pytest.raises(Trouble):
        taken(event)


def test_counts_come_last_or_with_each_event() -> None:
    last = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}
    assert taken(delta("stop"), last).usage == Usage(9, 4, 0)
    running = [delta(content="a") | {"usage": {"prompt_tokens": 9, "completion_tokens": n}} for n in (1, 2)]
    assert taken(*running, delta("stop") | {"usage": None}).usage == Usage(9, 2, 0)


@pytest.mark.parametrize(
    ("repeated", "words", "text"),
    [
        ("begun", ["be", "gun and", " more"], " and more"),
        ("begun", ["begun and more"], " and more"),
        ("\n\n", ["\n", "\n", "next"], "next"),
        ("\n\n", ["next"], "next"),
        ("", ["begun"], "begun"),
    ],
)
def test_what_a_server_repeats_is_left_out(repeated: str, words: list[str], text: str) -> None:
    assert taken(*(delta(content=each) for each in words), repeated=repeated).text == text


def test_likely_tokens_are_kept_with_the_token_that_came() -> None:
    tops = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1}, {"token": "c", "logprob": None}]
    event = delta(content="a")
    event["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": tops}]}
    ((token, others),) = taken(event).likely
    assert (token, list(map(tuple, others))) == ("a", [("a", -0.5), ("b", -1.0)])
    event["choices"][0]["logprobs"] = None
    assert taken(event).likely == []
