"""The generator behind HTTP: any server of OpenAI's completions protocol."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from transformers import PreTrainedTokenizerBase

from prmkit.generate import Continuation, Generation, GeneratorConfig, Sampling, check_prompt, together
from prmkit.generate.config import OpenAIEngine
from prmkit.generate.server import Server, Trouble
from prmkit.models.backbone import load_tokenizer
from prmkit.packing.encode import StepEncoder
from prmkit.run.seeds import derived_seed
from prmkit.tree import Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """One continuation and the token counts of its request."""

    continuation: Continuation
    prompt: int
    sampled: int
    cached: int = 0


class OpenAIGenerator:
    """Samples with a completions server.

    Each continuation is a request of its own with its own seed; whether seeds are honoured is up to the server. vLLM is
    asked for token ids. Other servers answer text, which the tokenizer turns into ids; and as such a server does not
    say whether a stop string or the end of the sequence ended it, we read along and drop the connection where the stop
    string appears.

    Args:
        server: the server.
        tokenizer: that of its model.
        as_text: send prompts as text, for servers that take no token ids.
    """

    def __init__(self, server: Server, tokenizer: PreTrainedTokenizerBase, *, as_text: bool = False) -> None:
        self._server = server
        self._tokenizer = tokenizer
        self._as_text = as_text

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: str | None = None
    ) -> Generation:
        """See Generator.generate. ``flops`` is NaN, for the server's model is not known here.

        Raises:
            RunError: no try brought a usable answer.
        """
        check_prompt(prompt_ids, self._server.context)
        written = await together(
            self._server.persist(self._try, prompt_ids, sampling, derived_seed(seed, sample), stop)
            for sample in range(n)
        )
        cached = sum(one.cached for one in written)
        return Generation(
            continuations=tuple(one.continuation for one in written),
            cached_tokens=cached,
            prefill_tokens=sum(one.prompt for one in written) - cached,
            decode_tokens=sum(one.sampled for one in written),
            flops=float("nan"),
        )

    async def _try(self, prompt_ids: Sequence[int], sampling: Sampling, seed: int, stop: str | None) -> _Written:
        context = self._server.context
        body: dict[str, Any] = {
            "model": self._server.model,
            "prompt": str(self._tokenizer.decode(list(prompt_ids))) if self._as_text else list(prompt_ids),
            "max_tokens": min(sampling.max_tokens, context - len(prompt_ids)) if context else sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
        }
        if self._server.owner == "vllm":
            return await self._ids(body, stop)
        if stop is None:
            return await self._text(body, len(prompt_ids))
        return await self._text_up_to(stop, body, len(prompt_ids))

    async def _ids(self, body: dict[str, Any], stop: str | None) -> _Written:
        """What vLLM answers: it names the stop string that ended a continuation, and nothing at the end of sequence."""
        body |= {"return_token_ids": True, "skip_special_tokens": False}
        # Otherwise the server would add what the model's generation_config says of sampling.
        body |= {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
        if stop is not None:
            body |= {"stop": [stop], "include_stop_str_in_output": True}
        reply = await self._server.post("/v1/completions", body)
        choice = _choice(reply)
        ids = choice.get("token_ids")
        if not isinstance(ids, list):
            raise Trouble("an answer without token ids")
        finish: Finish = _finish(choice)
        if finish == "eos" and isinstance(choice.get("stop_reason"), str):
            finish = "stop"
        kept = tuple(ids[:-1] if finish == "eos" else ids)
        return _counted(reply, Continuation(ids=kept, finish=finish), len(body["prompt"]), len(ids))

    async def _text(self, body: dict[str, Any], prompt: int) -> _Written:
        reply = await self._server.post("/v1/completions", body)
        choice = _choice(reply)
        continuation = Continuation(ids=self._ids_of(_text(choice)), finish=_finish(choice))
        return _counted(reply, continuation, prompt, len(continuation.ids) + (continuation.finish == "eos"))

    async def _text_up_to(self, stop: str, body: dict[str, Any], prompt: int) -> _Written:
        text = ""
        finish: Finish | None = None
        async with self._server.open("/v1/completions", body | {"stream": True}) as response:
            async for event in _events(response):
                choice = _choice(event)
                text += _text(choice)
                if stop in text:
                    finish = "stop"
                    break
                if choice.get("finish_reason") is not None:
                    finish = _finish(choice)
        if finish is None:
            raise Trouble("a stream that broke off")
        if finish == "stop":
            text = text[: text.index(stop) + len(stop)]
        ids = self._ids_of(text)
        return _Written(
            continuation=Continuation(ids=ids, finish=finish), prompt=prompt, sampled=len(ids) + (finish == "eos")
        )

    def _ids_of(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])


def load_generator(config: GeneratorConfig) -> tuple[OpenAIGenerator, StepEncoder]:
    """The policy of a recipe behind HTTP, and the encoder that speaks its format.

    Raises:
        InputError: the tokenizer is not at hand, the server is down, refuses the key, or does not serve the model.
    """
    assert isinstance(config.engine, OpenAIEngine)
    encoder = StepEncoder(load_tokenizer(config.name), config.format)
    as_text = config.engine.prompts == "text"
    return OpenAIGenerator(Server(config.engine), encoder.tokenizer, as_text=as_text), encoder


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[Mapping[str, Any]]:
    """The JSON objects of a stream of server-sent events."""
    async for line in response.content:
        data = line.strip().removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or data == b"[DONE]":
            continue
        try:
            event = json.loads(data)
        except ValueError:
            raise Trouble(f"an event that is no JSON: {data[:120]!r}") from None
        if isinstance(event, dict) and event.get("choices"):
            yield event


def _choice(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Trouble(f"an answer without a completion: {str(reply)[:120]}")
    return choices[0]


def _text(choice: Mapping[str, Any]) -> str:
    text = choice.get("text")
    if not isinstance(text, str):
        raise Trouble(f"a completion without text: {str(choice)[:120]}")
    return text


def _finish(choice: Mapping[str, Any]) -> Finish:
    """Why the server says that it ended, taking a stop for the end of the sequence."""
    reasons: dict[str, Finish] = {"stop": "eos", "length": "length"}
    reason = choice.get("finish_reason")
    if not isinstance(reason, str) or reason not in reasons:
        raise Trouble(f"a completion that ended for another reason, {reason!r}")
    return reasons[reason]


def _counted(reply: Mapping[str, Any], continuation: Continuation, prompt: int, sampled: int) -> _Written:
    """The counts that the server gives, and ours where it gives none."""
    usage = _mapping(reply.get("usage"))
    return _Written(
        continuation=continuation,
        prompt=_count(usage, "prompt_tokens") or prompt,
        sampled=_count(usage, "completion_tokens") or sampled,
        cached=_count(_mapping(usage.get("prompt_tokens_details")), "cached_tokens"),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(counts: Mapping[str, Any], name: str) -> int:
    count = counts.get(name)
    return count if isinstance(count, int) else 0
