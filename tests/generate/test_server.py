import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from prmkit.errors import InputError, RunError
from prmkit.generate import server as module
from prmkit.generate.config import OpenAIEngine
from prmkit.generate.server import Refused, Server, Trouble
from tests.fake_server import CONTEXT, FakeServer

BODY = {"prompt": [65, 66], "max_tokens": 4, "temperature": 0, "seed": 0}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)


def server(url: str, **options: Any) -> Server:
    return Server(OpenAIEngine(**{"name": "openai", "url": url} | options))


def ask(asked: Server) -> dict[str, Any]:
    """As an engine asks: with its tries, in an event loop of its own."""
    return asyncio.run(asked.persist(asked.post, "/v1/completions", BODY))


def ask_once(asked: Server) -> dict[str, Any]:
    return asyncio.run(asked.post("/v1/completions", BODY))


@pytest.mark.parametrize("fault", [408, 429, 500, 502, 503, 504, b"<html>", b"", b"3", "drop", "half"])
def test_what_may_pass_is_asked_for_again(fault: int | bytes | str) -> None:
    with FakeServer() as fake:
        asked = server(fake.url)
        good = ask(asked)
        fake.faults = [fault, fault]
        assert ask(asked) == good
        assert fake.asked == [BODY] * 4


def test_a_silent_server_is_asked_again_after_its_time() -> None:
    with FakeServer() as fake:
        asked = server(fake.url, timeout=0.2)
        good = ask(asked)
        fake.faults = ["hang"]
        assert ask(asked) == good


@pytest.mark.parametrize("fault", [500, b"<html>", "drop", "half"])
def test_a_server_that_stays_broken_ends_the_run(fault: int | bytes | str) -> None:
    with FakeServer() as fake:
        asked = server(fake.url, retries=2)
        fake.faults = [fault] * 20
        with pytest.raises(RunError, match=rf"{fake.url}: no answer in 3 tries \(.+\)\. .* go on with --resume"):
            ask(asked)
        assert len(fake.faults) == 17


def test_without_retries_there_is_one_try() -> None:
    with FakeServer() as fake:
        asked = server(fake.url, retries=0)
        fake.faults = [503, 503]
        with pytest.raises(RunError, match=r"no answer in 1 tries \(status 503: told to answer 503\)"):
            ask(asked)
        assert fake.faults == [503]


def test_a_server_that_goes_down_in_mid_run_ends_it() -> None:
    with FakeServer() as fake:
        asked = server(fake.url, retries=1)
        ask(asked)
    with pytest.raises(RunError, match="no answer in 2 tries"):
        ask(asked)


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_request_that_is_wrong_is_not_repeated(status: int) -> None:
    with FakeServer() as fake:
        asked = server(fake.url)
        fake.faults = [status]
        with pytest.raises(InputError, match=rf"refuses the request \(status {status}: told to answer {status}\)"):
            ask(asked)
        assert len(fake.asked) == 1


@pytest.mark.parametrize(
    ("said", "pause"), [("7", 7.0), (None, None), ("Wed, 21 Oct 2015 07:28:00 GMT", None), ("soon", None), ("-1", None)]
)
def test_a_server_may_say_when_to_come_again(said: str | None, pause: float | None) -> None:
    with FakeServer() as fake:
        asked = server(fake.url)
        fake.faults, fake.retry_after = [429], said
        with pytest.raises(Trouble, match="status 429: told to answer 429") as raised:
            ask_once(asked)
    assert raised.value.pause == pause


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited between tries, the shortest that the lot allows; nobody waits for them."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    monkeypatch.setattr(module.random, "uniform", lambda low, high: low)
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.5)
    return waited


def stopped(**options: Any) -> Server:
    """A server that has been found and is down since."""
    with FakeServer() as fake:
        return server(fake.url, **options)


def failing(*errors: BaseException) -> Callable[[str], Any]:
    """An attempt that ends in these errors, one after the other, and then returns its argument."""
    left = list(errors)

    async def attempt(reply: str) -> str:
        if left:
            raise left.pop(0)
        return reply

    return attempt


def test_pauses_double_up_to_half_a_minute(pauses: list[float]) -> None:
    found = stopped(retries=8)
    pauses.clear()
    assert asyncio.run(found.persist(failing(*[Trouble("busy")] * 8), "done")) == "done"
    # Drawn from the upper half of 0.5, 1, 2, ... 30, so that requests do not return together.
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_a_pause_is_never_shorter_than_the_server_asks_for(pauses: list[float]) -> None:
    found = stopped()
    pauses.clear()
    asyncio.run(found.persist(failing(Trouble("busy", 60.0), Trouble("busy", 0.1)), "done"))
    assert pauses == [60.0, 0.5]


@pytest.mark.parametrize("error", [InputError("wrong"), RunError("lost"), ValueError("ours"), asyncio.CancelledError()])
def test_what_no_further_try_could_mend_is_raised_at_once(pauses: list[float], error: BaseException) -> None:
    found = stopped()
    pauses.clear()
    with pytest.raises(type(error)):
        asyncio.run(found.persist(failing(error), "done"))
    assert pauses == []


def test_an_error_without_words_is_called_by_its_name(pauses: list[float]) -> None:
    with pytest.raises(RunError, match=r"no answer in 1 tries \(ServerDisconnectedError\)|\(Server disconnected\)"):
        asyncio.run(stopped(retries=0).persist(failing(aiohttp.ServerDisconnectedError()), "done"))
    with pytest.raises(RunError, match=r"no answer in 1 tries \(TimeoutError\)"):
        asyncio.run(stopped(retries=0).persist(failing(TimeoutError()), "done"))


def test_a_server_that_is_down_at_the_start_is_bad_input() -> None:
    with FakeServer() as fake:
        url = fake.url
    with pytest.raises(InputError, match=r"no server answers .*engine\.url"):
        server(url)


@pytest.mark.parametrize("fault", [503, "half", "drop", b"<html>", b"[" * 100_000, b"\xff\xfe"])
def test_one_that_is_not_ready_at_the_start_is_bad_input(fault: int | bytes | str) -> None:
    with FakeServer() as fake:
        fake.faults = [fault] * 2  # a connection that breaks is opened once more
        with pytest.raises(InputError, match=r"no server answers \(.+\)\. Start it, or check engine\.url") as raised:
            server(fake.url)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "fault", [b"{}", b'{"data": 3}', b'{"data": null}', b'{"data": []}', b'{"data": [3]}', b'{"data": [{"name": "m"}]}']
)
def test_what_is_no_server_of_models_is_bad_input(fault: bytes) -> None:
    with FakeServer() as fake:
        fake.faults = [fault]
        with pytest.raises(InputError, match=r"this is no server of models: /v1/models lists none"):
            server(fake.url)


def test_a_wrong_model_name_is_met_by_the_right_ones() -> None:
    with FakeServer(models=("policy", "prm")) as fake:
        with pytest.raises(InputError, match=r"does not serve this model, got 'polcy'; expected one of policy, prm"):
            server(fake.url, model="polcy")
        with pytest.raises(InputError, match=r"serves several models.*expected one of policy, prm\. Set engine\.model"):
            server(fake.url)
        assert server(fake.url, model="prm").model == "prm"


def test_of_hundreds_of_models_the_first_are_named() -> None:
    names = [f"m{number}" for number in range(300)]
    with FakeServer(models=names) as fake, pytest.raises(InputError, match=r"one of m0, .*, m19, and 280 more\."):
        server(fake.url, model="x")


def test_the_model_is_named_by_the_recipe_and_else_by_the_caller() -> None:
    with FakeServer(models=("a", "b")) as fake:
        config = OpenAIEngine(name="openai", url=fake.url)
        assert Server(config, model="b").model == "b"
        assert Server(config.model_copy(update={"model": "a"}), model="b").model == "a"


def test_a_server_that_need_not_list_its_models_is_taken_at_its_word() -> None:
    class Silent(FakeServer):
        async def _list(self, request: web.Request) -> web.StreamResponse:
            return web.Response(status=404)

    with Silent() as fake:
        config = OpenAIEngine(name="openai", url=fake.url)
        found = Server(config, model="any", listed=False)
        assert (found.model, found.owner, found.context) == ("any", None, None)
        for model, listed in (("any", True), (None, False)):
            with pytest.raises(Refused, match=r"refuses the request \(status 404"):
                Server(config, model=model, listed=listed)
    with FakeServer() as fake:
        fake.faults = [500, 500]
        with pytest.raises(InputError, match="no server answers"):
            Server(OpenAIEngine(name="openai", url=fake.url), model="m", listed=False)


def test_a_refusal_says_what_the_server_said() -> None:
    with FakeServer() as fake:
        asked = server(fake.url)
        fake.faults = [422]
        with pytest.raises(Refused) as raised:
            ask_once(asked)
    assert (raised.value.status, raised.value.said) == (422, '{"error": {"message": "told to answer 422"}}')


def test_what_the_server_tells_of_its_model_is_kept() -> None:
    with FakeServer(owner="vllm", models=("policy",), tells_context=True) as fake:
        found = server(fake.url)
        assert (found.model, found.owner, found.context) == ("policy", "vllm", CONTEXT)
    with FakeServer() as fake:
        assert server(fake.url).context is None
        fake.faults = [b'{"data": [{"id": "m", "max_model_len": "4096"}]}']
        assert server(fake.url).context is None


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_an_address_may_end_as_servers_print_it(ending: str) -> None:
    with FakeServer() as fake:
        assert ask_once(server(fake.url + ending)) == ask_once(server(fake.url))


def test_the_key_comes_from_the_environment_and_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "the-secret")
    with FakeServer() as fake:
        server(fake.url, api_key_env="MY_KEY")
        assert fake.keys == ["Bearer the-secret"]
        for status in (401, 403):
            fake.faults = [status]
            with pytest.raises(
                InputError, match=rf"refuses the key \(status {status}\)\. Set MY_KEY in the environment"
            ) as raised:
                server(fake.url, api_key_env="MY_KEY")
            assert "the-secret" not in str(raised.value)


@pytest.mark.parametrize(("key", "sent"), [("k\n", "Bearer k"), ("k\r\n", "Bearer k"), ("", None), ("\n", None)])
def test_a_key_may_come_with_the_line_end_of_its_file(
    monkeypatch: pytest.MonkeyPatch, key: str, sent: str | None
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with FakeServer() as fake:
        server(fake.url, api_key_env="MY_KEY")
        assert fake.keys == [sent]


def test_without_a_key_none_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with FakeServer() as fake:
        server(fake.url, api_key_env="MY_KEY")
        assert fake.keys == [None]


@pytest.mark.parametrize("answer", ["_list", "_complete"])
def test_a_redirect_does_not_carry_the_key_to_another_host(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    async def send_on(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": f"{other.url}{request.path}"})

    monkeypatch.setenv("MY_KEY", "the-secret")
    moved = FakeServer()
    setattr(moved, answer, send_on)
    with FakeServer() as other, moved:
        with pytest.raises(InputError, match=r"refuses the request \(status 307"):
            ask_once(server(moved.url, api_key_env="MY_KEY"))
        assert (other.keys, other.asked) == ([], [])


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (b'{"error": {"message": "too long", "code": 3}}', "too long"),
        (b'{"error": "too long"}', "too long"),
        (b'{"message": "too long"}', "too long"),
        (b'{"detail": "Not Found"}', '{"detail": "Not Found"}'),
        (b"<html>\r\n<b>502</b>\r\n</html>", "<html> <b>502</b> </html>"),
        (b"[1]", "[1]"),
        (b"", "nothing"),
        (b'{"error": {"message": "a\\nb"}}', "a b"),
        (b'{"error": "' + b"x" * 5000 + b'"}', "x" * 300),
        (b"y" * 5000, "y" * 120),
    ],
)
def test_what_a_server_says_is_shown_in_one_line_of_some_length(answer: bytes, shown: str) -> None:
    class Refuses(FakeServer):
        async def _complete(self, request: web.Request) -> web.StreamResponse:
            return web.Response(status=400, body=answer)

    with Refuses() as fake, pytest.raises(InputError) as raised:
        ask_once(server(fake.url))
    assert str(raised.value) == f"{fake.url}: the server refuses the request (status 400: {shown})"


@pytest.mark.parametrize("answer", [b"[]", b"3", b"null", b"not json", b"[" * 100_000])
def test_an_answer_that_is_no_object_is_trouble(answer: bytes) -> None:
    with FakeServer() as fake:
        asked = server(fake.url)
        fake.faults = [answer]
        with pytest.raises(Trouble, match="an answer that is no JSON"):
            ask_once(asked)


def test_no_more_requests_wait_for_the_server_than_allowed() -> None:
    with FakeServer() as fake:
        fake.pause = 0.02
        asked = server(fake.url, in_flight=3)

        async def many() -> None:
            await asyncio.gather(*(asked.post("/v1/completions", BODY) for _ in range(12)))

        asyncio.run(many())
        assert fake.most_at_once == 3
        assert len(fake.asked) == 12


def test_waiting_for_a_place_is_no_silence_of_the_server() -> None:
    """Eight requests, one at a time, take longer together than the server may be silent."""
    with FakeServer() as fake:
        fake.pause = 0.1
        asked = server(fake.url, in_flight=1, timeout=0.5, retries=0)

        async def many() -> list[dict[str, Any]]:
            return await asyncio.gather(
                *(asked.persist(asked.post, "/v1/completions", {**BODY, "seed": seed}) for seed in range(8))
            )

        assert len(asyncio.run(many())) == 8
        assert len(fake.asked) == 8


def test_a_server_may_be_found_while_an_event_loop_runs() -> None:
    async def main() -> dict[str, Any]:
        found = server(fake.url)
        return await found.post("/v1/completions", BODY)

    with FakeServer() as fake:
        assert asyncio.run(main()) == ask_once(server(fake.url))
