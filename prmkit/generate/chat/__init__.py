"""The generator behind a chat: any server of OpenAI's /v1/chat/completions, without a tokenizer here."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from prmkit.errors import InputError
from prmkit.generate import Generation, GeneratorConfig, Sampling, together
from prmkit.generate.answers import Usage, count_request, events, generation_of
from prmkit.generate.chat.answer import StreamedAnswer
from prmkit.generate.chat.by_ids import VllmIds
from prmkit.generate.chat.continuing import Manner, Tried, asked, manner_of, way_of
from prmkit.generate.chat.dialect import Dialect
from prmkit.generate.chat.text import (
    ChatContinuation,
    ChatPrompt,
    ChatSide,
    ChatText,
    chat_tags,
    estimated_tokens,
)
from prmkit.generate.config import ChatEngine
from prmkit.generate.meter import Meter
from prmkit.generate.openai import AS_ASKED
from prmkit.generate.server import Overlong, Refused, Server, Trouble, at_once
from prmkit.generate.stop import StepStop
from prmkit.run.seeds import derived_seed


class ChatGenerator:
    """Samples with a chat server.

    Each continuation is a request of its own with its own seed; whether seeds are honoured is up to the server. It is
    read while it streams in, and the connection is dropped where a step ends. What a server refuses of a request's keys
    is learned, once (see Dialect).

    Whoever goes on from an answer that was begun needs a server that does so, which is tried once, before the first
    such request. A vLLM server goes on by token ids, which is exact (see VllmIds).

    Args:
        server: the server.
        engine: how it is spoken to.
        template_arguments: what its chat template takes besides.
        side: what is known of the policy.
        ids: speaks to it by ids, for everything.
        likely: how many likely tokens are asked for at each place of an answer.
    """

    def __init__(
        self,
        server: Server,
        engine: ChatEngine,
        *,
        template_arguments: Mapping[str, Any],
        side: ChatSide,
        ids: VllmIds | None = None,
        likely: int = 0,
    ) -> None:
        self.longest = server.context
        self.meter = Meter(live=False)  # only streams tell of each token
        self._server, self._engine, self._side, self._ids = server, engine, side, ids
        self._dialect = Dialect()
        self._way = way_of(engine.continues, server.owner)
        self._manner: Manner | None = None
        self._trying: asyncio.Lock | None = None
        self._extra: dict[str, Any] = dict(AS_ASKED) if server.owner in ("vllm", "sglang") else {}
        if template_arguments:
            self._extra["chat_template_kwargs"] = dict(template_arguments)
        if likely:
            self._extra |= {"logprobs": True, "top_logprobs": likely}
        self._extra |= engine.options

    async def generate(
        self,
        prompt: ChatPrompt,
        n: int,
        *,
        sampling: Sampling,
        seed: int,
        stop: StepStop | None = None,
        drawn: int = 0,
    ) -> Generation:
        """``n`` independent answers, or continuations of the one that was begun; see Generator.generate.

        Its continuations are ChatContinuations. Token counts are the server's, and estimates where it tells none, as
        for an answer of which the end was not waited for. ``flops`` is NaN.

        Raises:
            TooLong: the prompt fills the server's context.
            InputError: the server refuses the request, or does not go on with answers.
            RunError: no try brought a usable answer.
        """
        manner = Manner()
        if self._ids is None and (prompt.answer or stop is not None):
            manner = await self._known_manner()
        go_on = self._by_text if self._ids is None else self._by_ids
        written = await together(
            go_on(prompt, sampling, derived_seed(seed, sample + n * drawn), stop, manner) for sample in range(n)
        )
        return generation_of((one for one, _ in written), (usage for _, usages in written for usage in usages))

    async def _by_ids(
        self, prompt: ChatPrompt, sampling: Sampling, seed: int, stop: StepStop | None, manner: Manner
    ) -> tuple[ChatContinuation, list[Usage]]:
        assert self._ids is not None
        one, usages = await self._ids.go_on(prompt, sampling=sampling, seed=seed, stop=stop)
        for usage in usages:
            count_request(self.meter, usage)
        return one, usages

    async def _by_text(
        self, prompt: ChatPrompt, sampling: Sampling, seed: int, stop: StepStop | None, manner: Manner
    ) -> tuple[ChatContinuation, list[Usage]]:
        answer = await self._answer(prompt, sampling, seed, stop, manner)
        text, finish = answer.text, answer.finish
        assert finish is not None
        estimated = estimated_tokens(text) + (finish == "eos")
        usage = answer.usage.or_else(_estimated_prompt(prompt), estimated)
        count_request(self.meter, usage, streamed=answer.events)
        one = ChatContinuation(
            pieces=(text,),
            finish=finish,
            written=max(0, usage.sampled - (finish == "eos")),
            likely=tuple(answer.likely),
        )
        return one, [usage]

    async def _answer(
        self, prompt: ChatPrompt, sampling: Sampling, seed: int, stop: StepStop | None, manner: Manner
    ) -> StreamedAnswer:
        """An answer, or the rest of one, to its end or to the end of its first step.

        Where the server's context has no room for as many tokens as an answer may have, it is asked for fewer; where it
        refuses a key of the request, in other words.
        """
        path, messages, keys = asked(prompt, self._way, self._side.tags)
        step = stop.tokens if stop is not None else None
        body: dict[str, Any] = {
            "model": self._server.model,
            "messages": messages,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
            "stream": True,
            "stream_options": {"include_usage": True},
            **self._extra,
            **keys,
        }
        url = path if path.startswith("/beta") else self._engine.api + path
        read = partial(self._read, prompt, stop, manner.repeated(prompt.answer))

        async def up_to(tokens: int) -> StreamedAnswer:
            answer = await self._understood(partial(read, url), body | {"max_tokens": tokens})
            if answer.finish == "length" and tokens == step:
                answer.finish = "stop"
            return answer

        limit = sampling.max_tokens if step is None else min(step, sampling.max_tokens)
        return await self._server.within_context(up_to, limit)

    async def _understood(
        self, read: Callable[[Mapping[str, Any]], Awaitable[StreamedAnswer]], body: Mapping[str, Any]
    ) -> StreamedAnswer:
        while True:
            sent = self._dialect.spoken(body)
            try:
                return await self._server.persist(read, sent)
            except Overlong:
                raise
            except Refused as refusal:
                if not self._dialect.learns(refusal, body, sent):
                    raise

    async def _read(
        self, prompt: ChatPrompt, stop: StepStop | None, repeated: str, url: str, body: Mapping[str, Any]
    ) -> StreamedAnswer:
        answer = StreamedAnswer(self._side.tags, thinking=prompt.thinking, repeated=repeated)
        async with self._server.open(url, body) as response:
            async for event in events(response):
                known = len(answer.text)
                answer.take(event)
                self.meter.add(drawn=int(len(answer.text) > known))  # an event holds a token, seldom more
                if stop is not None and (end := stop.cut(answer.text, known)) is not None:
                    answer.text, answer.finish = answer.text[:end], "stop"
                    return answer
        if answer.finish is None:
            raise Trouble("a stream that broke off")
        return answer

    async def _known_manner(self) -> Manner:
        """How the server goes on with an answer, tried once.

        Raises:
            InputError: it does not.
        """
        if self._manner is None:
            self._trying = self._trying or asyncio.Lock()
            async with self._trying:
                if self._manner is None:
                    self._manner = await self._find_manner()
        return self._manner

    async def _find_manner(self) -> Manner:
        if self._way is None:
            raise InputError(
                "single steps need a server that goes on with an answer that was begun",
                where="engine.continues",
                got="none",
                cure="Choose a strategy that draws whole solutions, such as best-of-n.",
            )
        return await manner_of(self._try, self._server.url)

    async def _try(self, prompt: ChatPrompt, tokens: int) -> Tried:
        answer = await self._answer(prompt, Sampling(temperature=0.0, max_tokens=tokens), 0, None, Manner())
        return Tried(answer.text, answer.usage.prompt)


def load_generator(config: GeneratorConfig, *, likely: int = 0) -> tuple[ChatGenerator, ChatText]:
    """The policy of a recipe behind a chat, and what speaks to it.

    Args:
        config: of the policy; its name is the model's at the server.
        likely: how many likely tokens are asked for at each place of an answer.

    Raises:
        InputError: the server is down, refuses the key, does not serve the model, or its template refuses the turns.
    """
    engine, format = config.engine, config.format
    assert isinstance(engine, ChatEngine)
    server = Server(engine, model=config.name, api=engine.api, listed=False)
    ids: VllmIds | None = None
    side: ChatSide | None = None
    # By ids vLLM tells likely tokens by their texts alone, of which two may be alike; its chat endpoint tells each.
    if server.owner == "vllm" and engine.continues in ("auto", "vllm") and not likely:
        ids = VllmIds(server, format.template_arguments, engine.options)
        side = at_once(ids.side(format))
    if side is None:
        ids, side = None, ChatSide(chat_tags(format))
    text = ChatText(format, side)
    generator = ChatGenerator(
        server, engine, template_arguments=format.template_arguments, side=side, ids=ids, likely=likely
    )
    return generator, text


def _estimated_prompt(prompt: ChatPrompt) -> int:
    return sum(estimated_tokens(turn.content) for turn in prompt.turns) + estimated_tokens(prompt.answer)
