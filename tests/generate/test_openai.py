import asyncio
import math
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from prmkit.generate import Generation, Generator, GeneratorConfig, Sampling, load_generator, server
from prmkit.generate.config import OpenAIEngine
from prmkit.generate.openai import OpenAIGenerator
from prmkit.generate.server import Server
from prmkit.models.backbone import load_tokenizer
from tests.contracts.generator import GeneratorContract
from tests.fake_server import Chars, FakeServer
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
    return asyncio.run(engine.generate(PROMPT, n, sampling=Sampling(max_tokens=16), seed=5, stop=stop))


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


@pytest.mark.parametrize("owner", ["llamacpp", "vllm"])
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
