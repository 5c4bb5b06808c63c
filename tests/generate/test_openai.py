import asyncio
import math
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError, RunError
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
            "hang",
        ]
        assert write(engine, stop=stop).continuations == good.continuations
        assert not fake.faults


def test_a_connection_that_breaks_is_opened_again() -> None:
    with FakeServer() as fake:
        engine = generator(fake)
        good = write(engine)
        fake.faults = ["drop", "drop"]
        assert write(engine).continuations == good.continuations


@pytest.mark.parametrize("fault", [500, b"<html>", "drop"])
def test_a_server_that_stays_broken_ends_the_run(fault: int | bytes | str) -> None:
    with FakeServer() as fake:
        engine = generator(fake, retries=2)
        fake.faults = [fault] * 20
        with pytest.raises(RunError, match=r"no answer in 3 tries .* go on with --resume"):
            write(engine, 1)
        assert len(fake.faults) == 17


def test_a_server_that_goes_down_in_mid_run_ends_it() -> None:
    with FakeServer() as fake:
        engine = generator(fake, retries=1)
        write(engine)
    with pytest.raises(RunError, match="no answer in 2 tries"):
        write(engine)


def test_a_request_that_is_wrong_is_not_repeated() -> None:
    with FakeServer() as fake:
        engine = generator(fake)
        fake.faults = [422]
        with pytest.raises(InputError, match=r"refuses the request \(status 422: told to answer 422\)"):
            write(engine, 1)
        assert len(fake.asked) == 1


def test_a_server_that_is_down_at_the_start_is_bad_input() -> None:
    with FakeServer() as fake:
        url = fake.url
    with pytest.raises(InputError, match=r"no server answers .*engine\.url"):
        Server(OpenAIEngine(name="openai", url=url))


@pytest.mark.parametrize("fault", [b"<html>", b"{}", b'{"data": 3}'])
def test_what_is_no_server_of_models_is_bad_input(fault: bytes) -> None:
    with FakeServer() as fake:
        fake.faults = [fault]
        with pytest.raises(InputError, match="no server"):
            generator(fake)


def test_a_wrong_model_name_is_met_by_the_right_ones() -> None:
    with FakeServer(models=("policy", "prm")) as fake:
        with pytest.raises(InputError, match=r"does not serve this model, got 'polcy'; expected one of policy, prm"):
            generator(fake, model="polcy")
        with pytest.raises(InputError, match="serves several models"):
            generator(fake)
        generator(fake, model="prm")


def test_the_key_comes_from_the_environment_and_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "the-secret")
    with FakeServer() as fake:
        generator(fake, api_key_env="MY_KEY")
        assert fake.keys == ["Bearer the-secret"]
        fake.faults = [401]
        with pytest.raises(InputError, match=r"refuses the key .* Set MY_KEY in the environment") as raised:
            generator(fake, api_key_env="MY_KEY")
    assert "the-secret" not in str(raised.value)


def test_no_more_requests_wait_for_the_server_than_allowed() -> None:
    with FakeServer() as fake:
        fake.pause = 0.02
        write(generator(fake, in_flight=3), 12)
        assert fake.most_at_once == 3
        assert len(fake.asked) == 12


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
