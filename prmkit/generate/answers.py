"""What servers of OpenAI's protocols answer: choices, why they ended, token counts, streams of events."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, NamedTuple

import aiohttp

from prmkit.generate import Continuation, Generation
from prmkit.generate.meter import Meter
from prmkit.generate.server import Trouble, overlong
from prmkit.tree import Finish

_REASONS: dict[str, Finish] = {"stop": "eos", "length": "length"}


class Usage(NamedTuple):
    """The token counts of a request; 0 where the server does not tell. ``prompt`` holds those that were cached."""

    prompt: int = 0
    sampled: int = 0
    cached: int = 0

    def or_else(self, prompt: int, sampled: int) -> "Usage":
        """These counts, and our own where the server does not tell."""
        return Usage(self.prompt or prompt, self.sampled or sampled, self.cached)


def generation_of(continuations: Iterable[Continuation], usages: Iterable[Usage]) -> Generation:
    """What a server wrote and the sum of what its requests cost; its model, and so its FLOPs, are not known here."""
    counts = list(usages)
    cached = sum(usage.cached for usage in counts)
    return Generation(
        continuations=tuple(continuations),
        cached_tokens=cached,
        prefill_tokens=sum(usage.prompt for usage in counts) - cached,
        decode_tokens=sum(usage.sampled for usage in counts),
        flops=float("nan"),
    )


def count_request(meter: Meter, usage: Usage, *, streamed: int = 0) -> None:
    """Count the tokens of a request that ended, but for those that were as they came."""
    meter.add(drawn=max(0, usage.sampled - streamed), read=usage.prompt - usage.cached)


def choice_of(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one completion of an answer.

    Raises:
        Trouble: there is none.
    """
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Trouble(f"an answer without a completion: {str(reply)[:120]}")
    return choices[0]


def text_of(choice: Mapping[str, Any]) -> str:
    """The text of a completion.

    Raises:
        Trouble: there is none.
    """
    text = choice.get("text")
    if not isinstance(text, str):
        raise Trouble(f"a completion without text: {str(choice)[:120]}")
    return text


def finish_of(choice: Mapping[str, Any], reasons: Mapping[str, Finish] = _REASONS) -> Finish:
    """Why the server says that a completion ended, taking a stop for the end of the sequence.

    Raises:
        Trouble: for another reason, such as a server that went down.
    """
    reason = choice.get("finish_reason")
    if not isinstance(reason, str) or reason not in reasons:
        raise Trouble(f"a completion that ended for another reason, {reason!r}")
    return reasons[reason]


def usage_of(reply: Mapping[str, Any]) -> Usage:
    """The counts in an answer. What is no count reads as 0."""
    usage = mapping(reply.get("usage"))
    details = mapping(usage.get("prompt_tokens_details"))
    cached = count(details, "cached_tokens") or count(usage, "prompt_cache_hit_tokens")  # the latter is DeepSeek's
    return Usage(count(usage, "prompt_tokens"), count(usage, "completion_tokens"), cached)


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[Mapping[str, Any]]:
    """The JSON objects of a stream of server-sent events.

    Raises:
        Overlong: the server says only now that the request does not fit its context.
        Trouble: an event is no JSON, or an error that came after the stream began.
    """
    async for line in response.content:
        data = line.strip().removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or data == b"[DONE]":
            continue
        try:
            event = json.loads(data)
        except ValueError:
            raise Trouble(f"an event that is no JSON: {data[:120]!r}") from None
        if isinstance(event, dict):
            if event.get("error"):
                if (refusal := overlong(str(response.url), 400, data)) is not None:
                    raise refusal
                raise Trouble(f"an error in mid-stream: {str(event['error'])[:120]}")
            yield event


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, where it is a JSON object; else an empty one."""
    return value if isinstance(value, Mapping) else {}


def count(counts: Mapping[str, Any], name: str) -> int:
    """A count by name; 0 where there is none."""
    found = counts.get(name)
    return found if isinstance(found, int) else 0
