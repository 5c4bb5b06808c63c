"""The generator behind HTTP: any server of OpenAI's completions protocol."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from transformers import PreTrainedTokenizerBase

from prmkit.errors import InputError
from prmkit.generate import Continuation, Generation, GeneratorConfig, Sampling, check_prompt, together
from prmkit.generate.answers import (
    Usage,
    choice_of,
    count_request,
    events,
    finish_of,
    generation_of,
    mapping,
    text_of,
    usage_of,
)
from prmkit.generate.by_strings import OPENAI_STOPS, up_to_step
from prmkit.generate.config import OpenAIEngine
from prmkit.generate.likely import Likely, NextTokens
from prmkit.generate.meter import Meter
from prmkit.generate.server import Server, Trouble
from prmkit.generate.sglang import NATIVE, native_body, native_continuation, native_next_tokens, native_usage
from prmkit.generate.stop import StepStop
from prmkit.generate.stops import TokenTexts
from prmkit.generate.text import PolicyText
from prmkit.models.ends import NO_ENDS, TurnEnds
from prmkit.models.tokenizer import load_tokenizer
from prmkit.run.seeds import derived_seed
from prmkit.tree import Finish

AS_ASKED = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""Keeps vLLM and SGLang from adding what the model's generation_config says of sampling."""

_BY_ID = "token_id:"
"""What stands before a token's id where vLLM names it so."""

_BY_IDS = ("vllm", "sglang")
"""Owners of servers that answer token ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """One continuation and the token counts of its request."""

    continuation: Continuation
    usage: Usage


class OpenAIGenerator:
    """Samples with a completions server.

    Each continuation is a request of its own with its own seed; whether seeds are honoured is up to the server. vLLM
    and SGLang are asked for token ids. Other servers answer text; and as such a server does not say whether a stop
    string or the end of the sequence ended it, we read along and drop the connection where a step ends.

    Args:
        server: the server.
        tokenizer: that of its model.
        as_text: send prompts as text, for servers that take no token ids.
        ends: what ends a sequence besides the ends that the server knows.
    """

    def __init__(
        self,
        server: Server,
        tokenizer: PreTrainedTokenizerBase,
        *,
        as_text: bool = False,
        ends: TurnEnds = NO_ENDS,
    ) -> None:
        self._server, self.context = server, server.context
        self._tokenizer = tokenizer
        self._texts = TokenTexts(tokenizer)
        self._as_text = as_text
        self.meter = Meter(live=False)  # only streams tell of each token
        self._end_ids, self._marks = sorted(ends.ids), ends.texts
        self._stops = list(ends.marks[:OPENAI_STOPS])

    async def generate(
        self,
        prompt_ids: Sequence[int],
        n: int,
        *,
        sampling: Sampling,
        seed: int,
        stop: StepStop | None = None,
        drawn: int = 0,
    ) -> Generation:
        """See Generator.generate. ``flops`` is NaN, for the server's model is not known here.

        Raises:
            RunError: no try brought a usable answer.
        """
        check_prompt(prompt_ids, self.context)
        written = await together(
            self._continue(prompt_ids, sampling, derived_seed(seed, sample + n * drawn), stop) for sample in range(n)
        )
        return generation_of((one for one, _ in written), (part.usage for _, parts in written for part in parts))

    async def next_tokens(self, prompt_ids: Sequence[int], top: int) -> NextTokens:
        """See TellsNextTokens. Of other servers than vLLM and SGLang only the first five are asked for."""
        check_prompt(prompt_ids, self.context)
        return await self._server.within_context(
            lambda _: self._server.persist(self._next_tokens, prompt_ids, top), limit=1
        )

    async def _continue(
        self, prompt_ids: Sequence[int], sampling: Sampling, seed: int, stop: StepStop | None
    ) -> tuple[Continuation, list[_Written]]:
        room = self._server.room(len(prompt_ids))
        if self._server.owner in _BY_IDS:
            ask = partial(self._fitting, self._ids if self._server.owner == "vllm" else self._native)
            most = OPENAI_STOPS if self._server.owner == "vllm" else None
            return await up_to_step(
                ask,
                self._texts,
                prompt_ids,
                sampling=sampling,
                seed=seed,
                stop=stop,
                room=room,
                most=most,
                marks=self._marks,
            )
        limits = (sampling.max_tokens, room, None if stop is None else stop.tokens)
        limit = min(each for each in limits if each is not None)
        body = self._body(prompt_ids, sampling, seed)
        if self._stops:
            body["stop"] = self._stops

        async def up_to(tokens: int) -> _Written:
            return await self._server.persist(self._text, body | {"max_tokens": tokens}, stop, len(prompt_ids))

        written = await self._server.within_context(up_to, limit)
        return written.continuation, [written]

    async def _fitting(
        self,
        attempt: Callable[..., Awaitable[_Written]],
        prompt_ids: Sequence[int],
        sampling: Sampling,
        seed: int,
        stop: tuple[str, ...],
    ) -> _Written:
        async def up_to(tokens: int) -> _Written:
            fitting = sampling.model_copy(update={"max_tokens": tokens})
            return await self._server.persist(attempt, prompt_ids, fitting, seed, stop)

        return await self._server.within_context(up_to, sampling.max_tokens)

    def _body(self, prompt_ids: Sequence[int], sampling: Sampling, seed: int) -> dict[str, Any]:
        return {
            "model": self._server.model,
            "prompt": self._prompt_text(prompt_ids) if self._as_text else list(prompt_ids),
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
        }

    def _counted(self, continuation: Continuation, usage: Usage, *, streamed: int = 0) -> _Written:
        count_request(self.meter, usage, streamed=streamed)
        return _Written(continuation=continuation, usage=usage)

    async def _ids(self, prompt_ids: Sequence[int], sampling: Sampling, seed: int, stop: tuple[str, ...]) -> _Written:
        """What vLLM answers: it names the stop string that ended a continuation, and nothing at the end of sequence."""
        body = self._body(prompt_ids, sampling, seed) | {"return_token_ids": True, "skip_special_tokens": False}
        if self._end_ids:
            body["stop_token_ids"] = self._end_ids
        if stop:
            body |= {"stop": list(stop), "include_stop_str_in_output": True}
        reply = await self._server.post("/v1/completions", body | AS_ASKED)
        continuation, sampled = ids_of(choice_of(reply), self._end_ids)
        return self._counted(continuation, usage_of(reply).or_else(len(prompt_ids), sampled))

    async def _native(
        self, prompt_ids: Sequence[int], sampling: Sampling, seed: int, stop: tuple[str, ...]
    ) -> _Written:
        body = native_body(prompt_ids, sampling, seed, stop, self._end_ids)
        reply = await self._server.post(NATIVE, body)
        continuation, sampled = native_continuation(reply, self._end_ids)
        return self._counted(continuation, native_usage(reply).or_else(len(prompt_ids), sampled))

    async def _text(self, body: dict[str, Any], stop: StepStop | None, prompt: int) -> _Written:
        if stop is not None:
            return await self._text_up_to(stop, body, prompt)
        reply = await self._server.post("/v1/completions", body)
        choice = choice_of(reply)
        text, ended = self._before_mark(text_of(choice))
        finish: Finish = "eos" if ended else finish_of(choice)
        continuation = Continuation(ids=self._ids_of(text), finish=finish, exact=False)
        sampled = continuation.tokens + (continuation.finish == "eos")
        return self._counted(continuation, usage_of(reply).or_else(prompt, sampled))

    async def _text_up_to(self, stop: StepStop, body: dict[str, Any], prompt: int) -> _Written:
        text, streamed = "", 0
        finish: Finish | None = None
        async with self._server.open("/v1/completions", body | {"stream": True}) as response:
            async for event in events(response):
                if not event.get("choices"):
                    continue
                choice, known = choice_of(event), len(text)
                text += text_of(choice)
                self.meter.add(drawn=1)  # an event holds a token, seldom more
                streamed += 1
                step = stop.cut(text, known)
                text, ended = self._before_mark(text if step is None else text[:step])
                if ended or step is not None:
                    finish = "eos" if ended else "stop"
                    break
                if choice.get("finish_reason") is not None:
                    finish = finish_of(choice)
        if finish is None:
            raise Trouble("a stream that broke off")
        if finish == "length" and body["max_tokens"] == stop.tokens:
            finish = "stop"
        ids = self._ids_of(text)
        continuation = Continuation(ids=ids, finish=finish, exact=False)
        usage = Usage(prompt=prompt, sampled=len(ids) + (finish == "eos"))
        return self._counted(continuation, usage, streamed=streamed)

    async def _next_tokens(self, prompt_ids: Sequence[int], top: int) -> NextTokens:
        one = Sampling(max_tokens=1, temperature=1.0)
        if self._server.owner == "sglang":
            body = native_body(prompt_ids, one, 0, ()) | {"return_logprob": True, "top_logprobs_num": top}
            reply = await self._server.post(NATIVE, body)
            found = [Likely(self._texts.alone(token), value) for value, token in native_next_tokens(reply)]
            usage = native_usage(reply)
        else:
            vllm = self._server.owner == "vllm"
            body = self._body(prompt_ids, one, 0) | {"logprobs": top if vllm else min(top, 5)}
            # By their texts alone, two tokens may be alike.
            body |= AS_ASKED | {"return_tokens_as_token_ids": True} if vllm else {}
            reply = await self._server.post("/v1/completions", body)
            found = [self._spelled(token) for token in first_likely(choice_of(reply))]
            usage = usage_of(reply)
        if not found:
            raise InputError("the server tells no log-probabilities", where=self._server.url)
        prompt = usage.prompt or len(prompt_ids)
        self.meter.add(read=prompt - usage.cached)
        return NextTokens(tuple(found), usage.cached, prompt - usage.cached, float("nan"))

    def _spelled(self, token: Likely) -> Likely:
        """A token by its text, which vLLM names by its id."""
        number = token.text.removeprefix(_BY_ID)
        if number == token.text or not number.isdecimal():
            return token
        return Likely(self._texts.alone(int(number)), token.logprob)

    def _before_mark(self, text: str) -> tuple[str, bool]:
        """What of a text stands before the end of the turn, and whether there is one in it."""
        places = [place for mark in self._stops if (place := text.find(mark)) >= 0]
        return text[: min(places, default=len(text))], bool(places)

    def _ids_of(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _prompt_text(self, prompt_ids: Sequence[int]) -> str:
        """The prompt without what the server puts in front of every text, as the tokenizer does."""
        text = str(self._tokenizer.decode(list(prompt_ids), clean_up_tokenization_spaces=False))
        bos = self._tokenizer.bos_token
        if bos is not None and list(self._tokenizer("")["input_ids"])[:1] == [self._tokenizer.bos_token_id]:
            return text.removeprefix(str(bos))
        return text


def load_generator(config: GeneratorConfig) -> tuple[OpenAIGenerator, PolicyText]:
    """The policy of a recipe behind HTTP, and the text in which it is spoken to.

    Raises:
        InputError: the tokenizer is not at hand, the server is down, refuses the key, or does not serve the model.
    """
    assert isinstance(config.engine, OpenAIEngine)
    text = PolicyText(load_tokenizer(config.name), config.format)
    as_text = config.engine.prompts == "text"
    engine = OpenAIGenerator(Server(config.engine), text.tokenizer, as_text=as_text, ends=text.ends)
    return engine, text


def ids_of(choice: Mapping[str, Any], end_ids: Collection[int] = ()) -> tuple[Continuation, int]:
    """The token ids in vLLM's completion, and how many were sampled, an end of sequence included.

    An end among ``end_ids`` is one also where its text holds a stop string, which vLLM then names.

    Raises:
        Trouble: it has none.
    """
    ids = choice.get("token_ids")
    if not isinstance(ids, list):
        raise Trouble("an answer without token ids")
    finish: Finish = finish_of(choice)
    if finish == "eos" and isinstance(choice.get("stop_reason"), str) and not (ids and ids[-1] in end_ids):
        finish = "stop"
    return Continuation(ids=tuple(ids[:-1] if finish == "eos" else ids), finish=finish), len(ids)


def first_likely(choice: Mapping[str, Any]) -> list[Likely]:
    """The likeliest tokens at the first place of a completion; none where the server does not tell."""
    tops = mapping(choice.get("logprobs")).get("top_logprobs")
    first = mapping(tops[0]) if isinstance(tops, list) and tops else {}
    return [Likely(text, float(value)) for text, value in first.items() if isinstance(value, int | float)]
