import asyncio
import math
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.generate import (
    Continuation,
    Generation,
    Generator,
    GeneratorConfig,
    Sampling,
    TooLong,
    load_generator,
    server,
)
from prmkit.generate.config import OpenAIEngine
from prmkit.generate.openai import OpenAIGenerator
from prmkit.generate.server import Server
from prmkit.models.ends import TurnEnds
from prmkit.models.tokenizer import load_tokenizer
from tests.contracts.generator import GeneratorContract
from tests.fake_server import OPENAI_WORDS, Chars, FakeServer
from tests.fakes import at
from tests.served import VLLM, run

PROMPT = tuple(map(ord, "two and two"))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_FIRST_PAUSE", 0.01)


def generator(fake: FakeServer, **options: Any) -> OpenAIGenerator:
    as_text = options.pop("as_text", False)
    engine = OpenAIEngine(**{"name": "openai", "url": fake.url} | options)
    return OpenAIGenerator(Server(engine), Chars(), as_text=as_text)  # type: ignore[arg-type]


def write(engine: Generator, n: int = 2, *, stop: str | None = None) -> Generation:
    return asyncio.run(engine.generate(PROMPT, n, sampling=Sampling(max_tokens=16), seed=5, stop=at(stop)))


class TestAServerThatAnswersText(GeneratorContract):
    prompt = PROMPT
    tells_context = False

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[Generator]:
        with FakeServer() as fake:
            yield generator(fake)

    def decode(self, ids):  # type: ignore[no-untyped-def]
        return Chars().decode(ids)


class TestAServerThatAnswersTokenIds(TestAServerThatAnswersText):
    tells_context = True

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[Generator]:
        with FakeServer(owner="vllm", tells_context=True) as fake:
            yield generator(fake)


class TestSglang(TestAServerThatAnswersText):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[Generator]:
        with FakeServer(owner="sglang", tells_context=True) as fake:
            yield generator(fake)

    tells_context = True


class TestVllmServe(GeneratorContract):
    pytestmark = VLLM

    prompt = (40, 50, 60)

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, policy_url: str, policy_folder: Path) -> Generator:
        cls.tokenizer = load_tokenizer(str(policy_folder))
        return load_generator(
            GeneratorConfig(name=str(policy_folder), engine=OpenAIEngine(name="openai", url=policy_url))
        )[0]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return run(work)

    def decode(self, ids):  # type: ignore[no-untyped-def]
        return self.tokenizer.decode(ids)

    def test_what_the_server_read_from_its_cache_is_counted(self, engine: Generator) -> None:
        long = [4 + index % 50 for index in range(300)]
        run(engine.generate(long, 1, sampling=Sampling(max_tokens=1), seed=0))
        again = run(engine.generate(long, 2, sampling=Sampling(max_tokens=1), seed=1))
        assert (again.cached_tokens, again.prefill_tokens) == (512, 88)
        assert math.isnan(again.flops)


def test_sglang_and_vllm_tell_the_same_of_what_was_written() -> None:
    async def ask(engine: Generator) -> list[Continuation]:
        greedy = Sampling(max_tokens=16, temperature=0)
        asked = [engine.generate(PROMPT, 1, sampling=greedy, seed=5, stop=at(stop)) for stop in (None, "\n", "a")]
        return [generation.continuations[0] for generation in await asyncio.gather(*asked)]

    found = []
    for owner in ("vllm", "sglang"):
        with FakeServer(owner=owner) as fake:
            found.append(asyncio.run(ask(generator(fake))))
    assert found[0] == found[1]
    assert all(one.exact for one in found[0])
    assert "stop" in {one.finish for one in found[0]}


@pytest.mark.parametrize("owner", ["llamacpp", "vllm", "sglang"])
def test_the_likeliest_tokens_behind_a_prompt_are_told(owner: str) -> None:
    with FakeServer(owner=owner) as fake:
        found = asyncio.run(generator(fake).next_tokens(PROMPT, 20))
        assert [logprob for _, logprob in found.tokens] == [-0.25, -1.5]
        assert found.tokens[1].text == "X"
        assert (found.cached_tokens, found.prefill_tokens) == (0, len(PROMPT))
        asked = fake.asked[-1]
        assert (asked.get("max_tokens") or asked["sampling_params"]["max_new_tokens"]) == 1
        assert (asked.get("logprobs") or asked["top_logprobs_num"]) == (5 if owner == "llamacpp" else 20)


def test_a_server_that_tells_no_probabilities_is_bad_input() -> None:
    with FakeServer() as fake:
        engine = generator(fake)
        fake.faults = [b'{"choices": [{"text": "a", "finish_reason": "length"}]}']
        with pytest.raises(InputError, match="the server tells no log-probabilities"):
            asyncio.run(engine.next_tokens(PROMPT, 20))


@pytest.mark.parametrize("owner", ["llamacpp", "vllm", "sglang"])
@pytest.mark.parametrize("stop", [None, "\n"])
def test_busy_broken_and_silent_answers_are_asked_for_again(owner: str, stop: str | None) -> None:
    with FakeServer(owner=owner) as fake:
        engine = generator(fake, timeout=0.3)
        good = write(engine, stop=stop)
        fake.faults = [
            429,
            500,
            503,
            b"<html>",
            b"[]",
            b'{"choices": []}',
            b'{"choices": [{"finish_reason": "x"}]}',
            b'{"choices": [{"text": "a", "token_ids": [97], "finish_reason": ["stop"]}]}',
            b'{"output_ids": [97], "meta_info": {"finish_reason": {"type": "abort"}}}',
            "half",
            "hang",
        ]
        assert write(engine, stop=stop).continuations == good.continuations
        assert not fake.faults


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (
            '{"prompt_tokens": 90, "completion_tokens": 70, "prompt_tokens_details": {"cached_tokens": 60}}',
            (60, 30, 70),
        ),
        ('{"prompt_tokens": 90, "prompt_tokens_details": null}', (0, 90, 3)),
        ('{"prompt_tokens": "many", "completion_tokens": null, "prompt_tokens_details": [1]}', (0, len(PROMPT), 3)),
        ("3", (0, len(PROMPT), 3)),
        ("null", (0, len(PROMPT), 3)),
    ],
)
def test_tokens_are_those_that_the_server_counts_and_else_ours(usage: str, counts: tuple[int, int, int]) -> None:
    with FakeServer() as fake:
        engine = generator(fake)
        fake.faults = [f'{{"choices": [{{"text": "ab", "finish_reason": "stop"}}], "usage": {usage}}}'.encode()]
        found = write(engine, 1)
    assert (found.cached_tokens, found.prefill_tokens, found.decode_tokens) == counts


@pytest.mark.parametrize("owner", ["llamacpp", "vllm"])
@pytest.mark.parametrize("stop", [None, "\n"])
def test_the_meter_has_what_all_requests_took(owner: str, stop: str | None) -> None:
    with FakeServer(owner=owner) as fake:
        engine = generator(fake)
        found = write(engine, 4, stop=stop)
    assert (engine.meter.drawn, engine.meter.read) == (found.decode_tokens, found.prefill_tokens)
    assert not engine.meter.live


def test_the_meter_has_the_tokens_of_a_stream_as_they_come() -> None:
    with FakeServer() as fake:
        engine = generator(fake)
        event = b'data: {"choices": [{"text": "a", "finish_reason": null}]}\n\n'
        fake.faults = [20 * event]  # a stream that breaks off, and is asked for again
        found = write(engine, 1, stop="\n")
        assert engine.meter.drawn == 20 + found.decode_tokens


def test_a_cancelled_request_is_dropped_by_the_server() -> None:
    with FakeServer() as fake:
        engine = generator(fake)
        fake.pause = 30.0

        async def cancel() -> None:
            task = asyncio.create_task(engine.generate(PROMPT, 1, sampling=Sampling(), seed=1))
            while not fake.asked:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        assert fake.dropped.wait(5)


def test_prompts_go_out_as_ids_or_as_text() -> None:
    with FakeServer() as fake:
        assert write(generator(fake)).continuations == write(generator(fake, as_text=True)).continuations
        assert [body["prompt"] for body in fake.asked] == [list(PROMPT)] * 2 + ["two and two"] * 2


def ids_of_length(n: int) -> tuple[int, ...]:
    return tuple(ord("a") + place % 5 for place in range(n))


NUMBERLESS = "Your input exceeds the context window of this model."


@pytest.mark.parametrize("stop", [None, "\n"])
@pytest.mark.parametrize(
    ("owner", "told", "words"),
    [
        ("vllm", True, OPENAI_WORDS),
        ("sglang", True, OPENAI_WORDS),
        ("llamacpp", True, OPENAI_WORDS),
        ("vllm", False, OPENAI_WORDS),
        ("sglang", False, OPENAI_WORDS),
        ("llamacpp", False, OPENAI_WORDS),
        ("llamacpp", False, NUMBERLESS),
    ],
)
def test_near_the_end_of_the_context_fewer_tokens_are_asked_for(
    owner: str, told: bool, words: str, stop: str | None
) -> None:
    context = 64
    room = context - (owner == "sglang")

    def written(engine: Generator, tokens: int) -> Continuation:
        sampling = Sampling(max_tokens=40, temperature=1.0)
        asked = engine.generate(ids_of_length(tokens), 1, sampling=sampling, seed=3, stop=at(stop))
        return asyncio.run(asked).continuations[0]

    with FakeServer(owner=owner, tells_context=told, context=context, words=words) as fake:
        engine = generator(fake)
        for tokens in (room - 1, room - 2, room - 8, 10):
            one = written(engine, tokens)
            assert len(one.ids) <= room - tokens
            assert one.ids or one.finish == "eos"
        asked = len(fake.asked)
        for tokens in (room, room + 1, room + 40):
            with pytest.raises(TooLong):
                written(engine, tokens)
        if told or words == OPENAI_WORDS:  # by now it is known
            assert len(fake.asked) == asked


def test_a_server_that_says_in_a_stream_that_the_prompt_is_too_long_is_understood() -> None:
    said = b'data: {"error": {"code": 400, "message": "the request exceeds the available context size"}}\n\n'
    with FakeServer() as fake:
        engine = generator(fake)
        fake.faults += [said] * 9
        with pytest.raises(TooLong):
            write(engine, 1, stop="\n")
        assert [asked["max_tokens"] for asked in fake.asked] == [16, 8, 4, 2, 1]


def test_the_likeliest_tokens_behind_a_prompt_that_is_too_long_are_refused() -> None:
    with FakeServer(owner="vllm", context=64) as fake, pytest.raises(TooLong):
        asyncio.run(generator(fake).next_tokens(ids_of_length(64), 3))


@pytest.mark.parametrize("stop", [None, "\n"])
@pytest.mark.parametrize("owner", ["vllm", "sglang", "llamacpp"])
def test_a_mark_that_ends_the_turn_ends_a_continuation_and_is_no_part_of_it(owner: str, stop: str | None) -> None:
    with FakeServer(owner=owner) as fake:
        engine = generator(fake)
        free = write(engine, 8, stop=stop)
        texts = ["".join(map(chr, one.ids)) for one in free.continuations]
        long = next(index for index, text in enumerate(texts) if len(text) > 5)
        mark = texts[long][2:4]
        marked = OpenAIGenerator(
            engine._server,
            Chars(),  # type: ignore[arg-type]
            ends=TurnEnds(ids=frozenset({300}), texts=(mark,), marks=("\u012c", mark)),
        )
        found = write(marked, 8, stop=stop).continuations
        assert ("".join(map(chr, found[long].ids)), found[long].finish) == (texts[long].partition(mark)[0], "eos")
        assert not any(mark in "".join(map(chr, one.ids)) for one in found)
        told = fake.asked[-1].get("sampling_params", fake.asked[-1])
        # Who takes ids is told those; others are told everything as texts.
        assert told.get("stop_token_ids", []) == ([300] if owner != "llamacpp" else [])
        assert mark in told["stop"]
