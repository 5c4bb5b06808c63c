"""SGLang's own protocol, ``/generate``: token ids go in, and the ids that the model wrote come out.

Written from SGLang's documentation (docs/basic_usage/sampling_params.md and native_api); tested against a fake.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from prmkit.generate import Continuation, Sampling
from prmkit.generate.answers import Usage, count, mapping
from prmkit.generate.server import Trouble

NATIVE = "/generate"
"""Where it is spoken."""


def native_body(
    prompt_ids: Sequence[int], sampling: Sampling, seed: int, stop: tuple[str, ...], end_ids: Sequence[int] = ()
) -> dict[str, Any]:
    """A request for one continuation, sampled as asked and no other way; ``end_ids`` end it besides the model's own.

    A seed counts where the server runs with ``--enable-deterministic-inference``. It may have 31 bits.
    """
    asked: dict[str, Any] = {
        "max_new_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "sampling_seed": seed & 0x7FFFFFFF,
        "skip_special_tokens": False,  # a special token may be a stop string
        "no_stop_trim": True,
    }
    if end_ids:
        asked["stop_token_ids"] = list(end_ids)
    if stop:
        asked["stop"] = list(stop)
    return {"input_ids": list(prompt_ids), "sampling_params": asked}


def native_continuation(reply: Mapping[str, Any], end_ids: Collection[int] = ()) -> tuple[Continuation, int]:
    """The continuation in an answer, and how many tokens were sampled, an end of sequence included.

    ``finish_reason.matched`` is the stop string that ended it, or the id of an end of sequence. One among ``end_ids``
    is an end also where its text holds a stop string.

    Raises:
        Trouble: there is none, or it ended for another reason, such as an abort by the server.
    """
    ids = reply.get("output_ids")
    if not isinstance(ids, list):
        raise Trouble(f"an answer without output_ids: {str(reply)[:120]}")
    reason = mapping(mapping(reply.get("meta_info")).get("finish_reason"))
    if reason.get("type") == "length":
        return Continuation(ids=tuple(ids), finish="length"), len(ids)
    if reason.get("type") != "stop":
        raise Trouble(f"a completion that ended for another reason, {dict(reason)!r}")
    matched = reason.get("matched")
    if isinstance(matched, str) and not (ids and ids[-1] in end_ids):
        return Continuation(ids=tuple(ids), finish="stop"), len(ids)
    ends = bool(ids) and (ids[-1] == matched or ids[-1] in end_ids)
    return Continuation(ids=tuple(ids[:-1] if ends else ids), finish="eos"), len(ids) + (not ends)


def native_usage(reply: Mapping[str, Any]) -> Usage:
    """The token counts in an answer."""
    meta = mapping(reply.get("meta_info"))
    return Usage(count(meta, "prompt_tokens"), count(meta, "completion_tokens"), count(meta, "cached_tokens"))


def native_next_tokens(reply: Mapping[str, Any]) -> list[tuple[float, int]]:
    """Log-probability and id of the likeliest tokens at the first place of a continuation; none where none are told."""
    tops = mapping(reply.get("meta_info")).get("output_top_logprobs")
    first = tops[0] if isinstance(tops, list) and tops and isinstance(tops[0], list) else []
    return [(float(row[0]), int(row[1])) for row in first if isinstance(row, list) and len(row) >= 2]
