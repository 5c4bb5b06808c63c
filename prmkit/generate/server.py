"""A model behind HTTP: requests with retries, time limits and bounded concurrency."""

import asyncio
import json
import os
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp

from prmkit.errors import InputError, PrmkitError, RunError
from prmkit.generate import TooLong
from prmkit.generate.config import ServerEngine
from prmkit.generate.overlong import Sizes, sizes_told

_Reply = TypeVar("_Reply")

_BUSY = {408, 425, 429, 500, 502, 503, 504, 529}
"""Answers after which the same request may succeed later."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds between tries: doubled each time, and drawn from its upper half so that requests do not return together."""


_SHOWN = 20
"""Names of models that a message holds: some servers list hundreds."""


class Trouble(Exception):
    """What a further try may mend: a busy or silent server, a broken answer. ``pause`` is what the server asks for."""

    def __init__(self, what: str, pause: float | None = None) -> None:
        super().__init__(what)
        self.pause = pause


class Refused(InputError):
    """A request that the server calls wrong, and would again. ``said`` is its answer, as it came."""

    def __init__(self, url: str, status: int, said: bytes) -> None:
        super().__init__(f"the server refuses the request (status {status}: {_message(said)})", where=url)
        self.status = status
        self.said = said.decode("utf-8", "replace")


class Overlong(Refused):
    """A request of which prompt and answer together do not fit the server's context."""

    def __init__(self, url: str, status: int, said: bytes, sizes: Sizes) -> None:
        super().__init__(url, status, said)
        self.sizes = sizes


class Server:
    """One model at a server.

    The key is read from the environment and is sent in a header; no message and no file holds it.

    Args:
        config: address, model and limits.
        model: the model's name there, where ``config`` gives none; without either, the only one that it serves.
        api: where its list of models stands, below the address.
        listed: whether the server must list its models. Where it need not and does not, the name is taken as it is.

    Raises:
        InputError: the server is down, refuses the key, or does not serve the model.
    """

    def __init__(
        self, config: ServerEngine, *, model: str | None = None, api: str = "/v1", listed: bool = True
    ) -> None:
        self._config = config
        self._api = api
        self._wanted = config.model or model
        self._must_list = listed or self._wanted is None
        self.url = config.url.rstrip("/").removesuffix("/v1")
        card = at_once(self._find_model())
        self.card: Mapping[str, Any] = card
        self.model = str(card["id"])
        self.owner = card.get("owned_by")
        length = card.get("max_model_len")
        self.context = self._usable(length) if isinstance(length, int) else None
        self._learned: int | None = None
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """One try: the JSON object that the server answers.

        Raises:
            InputError: it refuses the request, and would again.
            Trouble: it is busy or broken.
        """
        async with self.open(path, body) as response:
            return _parsed(await response.read())

    async def persist(self, attempt: Callable[..., Awaitable[_Reply]], *arguments: Any) -> _Reply:
        """What ``attempt`` returns; where it ends in Trouble it is called again, after a pause.

        Raises:
            RunError: no try succeeded.
        """
        tried = 0
        while True:
            tried += 1
            try:
                return await attempt(*arguments)
            except (Trouble, aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                if tried > self._config.retries:
                    raise RunError(
                        f"{self.url}: no answer in {tried} tries ({_said(error)}). "
                        "Look at the server, then go on with --resume."
                    ) from None
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (tried - 1)) * random.uniform(0.5, 1.0)
                await asyncio.sleep(max(pause, getattr(error, "pause", None) or 0.0))

    async def within_context(self, ask: Callable[[int], Awaitable[_Reply]], limit: int) -> _Reply:
        """What ``ask`` returns, told how many tokens may be written: ``limit``, or as many as the server has room for.

        Raises:
            TooLong: it has room for none.
        """
        while True:
            try:
                return await ask(limit)
            except Overlong as refusal:
                context, prompt = refusal.sizes
                self._learned = self._learned if context is None else self._usable(context)
                limit = refusal.sizes.fewer_than(limit)
                if limit < 1:
                    raise TooLong(where=self.url, tokens=prompt, context=context) from None

    def room(self, tokens: int) -> int | None:
        """Tokens that fit behind a prompt of so many; None as long as the server has not told its context.

        Raises:
            TooLong: none does.
        """
        context = self.context or self._learned
        if context is not None and tokens >= context:
            raise TooLong(where=self.url, tokens=tokens, context=context)
        return None if context is None else context - tokens

    def _usable(self, context: int) -> int:
        # SGLang refuses a request whose prompt and answer may together take the whole context.
        return context - (self.owner == "sglang")

    @asynccontextmanager
    async def open(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[aiohttp.ClientResponse]:
        """One try: a response of status 200, to be read. Leaving early drops the connection, which cancels the request.

        Raises:
            InputError: the server refuses the request, and would again.
            Trouble: it is busy or broken.
        """
        # Redirects could carry the key to another host.
        session = await self._live_session()
        async with session.post(self.url + path, json=body, allow_redirects=False) as response:
            await self._check(response)
            yield response

    async def _live_session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop, self._holder = loop, self._hold_session()
            self._session = await anext(self._holder)
        return self._session

    async def _hold_session(self) -> AsyncGenerator[aiohttp.ClientSession, None]:
        # A generator, because an event loop that ends closes those that still run, and with it the connections.
        async with self._new_session() as session:
            yield session

    def _new_session(self) -> aiohttp.ClientSession:
        # A file of keys may leave its line end behind, which no header may hold.
        key = os.environ.get(self._config.api_key_env, "").strip()
        return aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            connector=aiohttp.TCPConnector(limit=self._config.in_flight),
            # The wait for a free connection does not count: a queue of ours is no fault of the server.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=self._config.timeout),
        )

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        if response.status == 200:
            return
        said = await response.read()
        if (refusal := overlong(self.url, response.status, said)) is not None:
            raise refusal
        if response.status in _BUSY:
            after = response.headers.get("Retry-After", "")
            raise Trouble(f"status {response.status}: {_message(said)}", float(after) if after.isdecimal() else None)
        if response.status in (401, 403):
            raise InputError(
                f"the server refuses the key (status {response.status})",
                where=self.url,
                cure=f"Set {self._config.api_key_env} in the environment.",
            )
        raise Refused(self.url, response.status, said)

    async def _find_model(self) -> dict[str, Any]:
        async with self._new_session() as session:
            try:
                async with session.get(f"{self.url}{self._api}/models", allow_redirects=False) as response:
                    await self._check(response)
                    cards = _parsed(await response.read())["data"]
                    by_name = {str(card["id"]): dict(card) for card in cards}
            except Refused as refusal:
                if self._must_list or refusal.status not in (404, 405, 501):
                    raise
                return {"id": self._wanted}
            except PrmkitError:
                raise
            except (Trouble, aiohttp.ClientError, OSError, TimeoutError) as error:
                raise InputError(
                    f"no server answers ({_said(error)})", where=self.url, cure="Start it, or check engine.url."
                ) from None
            except (KeyError, TypeError, ValueError):
                by_name = {}
        if not by_name:
            raise InputError(f"this is no server of models: {self._api}/models lists none", where=self.url)
        name = self._wanted or (next(iter(by_name)) if len(by_name) == 1 else None)
        if name not in by_name:
            raise InputError(
                "the server does not serve this model" if name else "the server serves several models",
                where=self.url,
                got=name,
                expected=f"one of {_listed(list(by_name))}",
                cure="Set engine.model.",
            )
        return by_name[name]


def overlong(url: str, status: int, said: bytes) -> Overlong | None:
    """The refusal in an answer that says that a request does not fit the context; None where it says something else."""
    sizes = sizes_told(status, said.decode("utf-8", "replace"))
    return None if sizes is None else Overlong(url, status, said, sizes)


def at_once(work: Coroutine[Any, Any, _Reply]) -> _Reply:
    """What a coroutine returns, awaited in a loop and a thread of its own: one may be running here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _listed(names: Sequence[str]) -> str:
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Trouble(f"an answer that is no JSON: {_shown(data)}") from None
    if not isinstance(value, dict):
        raise Trouble(f"an answer that is no JSON object: {_shown(data)}")
    return value


def _message(data: bytes) -> str:
    try:
        value = json.loads(data)
        error = value.get("error", value)
        return _one_line(str(error["message"] if isinstance(error, dict) else error))[:300]
    except (ValueError, KeyError, AttributeError, RecursionError):
        return _shown(data)


def _shown(data: bytes) -> str:
    return _one_line(data[:120].decode("utf-8", "replace")) or "nothing"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
