from typing import Any

import pytest

from prmkit.generate import Continuation, Sampling
from prmkit.generate.answers import Usage
from prmkit.generate.openai import ids_of
from prmkit.generate.server import Trouble
from prmkit.generate.sglang import native_body, native_continuation, native_next_tokens, native_usage
from prmkit.generate.vllm import continuation


def reply(ids: Any, **meta: Any) -> dict[str, Any]:
    return {"text": "?", "output_ids": ids, "meta_info": meta}


def test_a_request_is_sampled_as_asked_and_no_other_way() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, max_tokens=7)
    asked = {
        "max_new_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "sampling_seed": 5,
        "skip_special_tokens": False,
        "no_stop_trim": True,
    }
    assert native_body((1, 2), sampling, 2**40 + 5, ()) == {"input_ids": [1, 2], "sampling_params": asked}
    assert native_body((1, 2), sampling, 5, ("\n", "x"))["sampling_params"] == asked | {"stop": ["\n", "x"]}
    assert native_body((1, 2), sampling, 5, (), [7])["sampling_params"] == asked | {"stop_token_ids": [7]}


@pytest.mark.parametrize(
    ("ids", "reason", "read", "sampled"),
    [
        ([5, 6], {"type": "length", "length": 2}, ((5, 6), "length"), 2),
        ([5, 6], {"type": "stop", "matched": "\n"}, ((5, 6), "stop"), 2),
        ([5, 2], {"type": "stop", "matched": 2}, ((5,), "eos"), 2),
        ([5], {"type": "stop", "matched": 2}, ((5,), "eos"), 2),  # a version that leaves the end out
        ([], {"type": "stop", "matched": None}, ((), "eos"), 1),
    ],
)
def test_what_ended_a_continuation_is_told(ids: list[int], reason: Any, read: Any, sampled: int) -> None:
    found = native_continuation(reply(ids, finish_reason=reason))
    assert found == (Continuation(ids=read[0], finish=read[1]), sampled)


def test_an_end_whose_name_holds_a_stop_string_is_an_end() -> None:
    reply = {"output_ids": [5, 9], "meta_info": {"finish_reason": {"type": "stop", "matched": "e"}}}
    assert native_continuation(reply, [9]) == (Continuation(ids=(5,), finish="eos"), 2)
    assert native_continuation(reply) == (Continuation(ids=(5, 9), finish="stop"), 2)
    assert ids_of({"token_ids": [5, 9], "finish_reason": "stop", "stop_reason": "e"}, [9]) == (
        Continuation(ids=(5,), finish="eos"),
        2,
    )
    assert continuation([5, 9], "stop", "e", [9]) == Continuation(ids=(5,), finish="eos")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"output_ids": "a"},
        {"output_ids": [1]},
        reply([1], finish_reason={"type": "abort", "message": "down"}),
        reply([1], finish_reason="stop"),
    ],
)
def test_what_makes_no_sense_is_asked_for_again(answer: dict[str, Any]) -> None:
    with pytest.raises(Trouble):
        native_continuation(answer)


def test_counts_and_likely_tokens_are_read() -> None:
    told = reply([5], prompt_tokens=9, completion_tokens=1, cached_tokens=4, output_top_logprobs=[[[-0.5, 5, None]]])
    assert native_usage(told) == Usage(9, 1, 4)
    assert native_next_tokens(told) == [(-0.5, 5)]
    assert native_next_tokens(reply([5])) == native_next_tokens(reply([5], output_top_logprobs=[None])) == []
