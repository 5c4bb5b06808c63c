"""A web server on this machine, on a thread of its own, for as long as a with-block lasts."""

import asyncio
import threading
from typing import Self

from aiohttp import web


class LocalServer:
    """Subclass it with ``app``; ``url`` is known within the block."""

    url: str

    def app(self) -> web.Application:
        """What it answers."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        started = threading.Event()
        self._loop = asyncio.new_event_loop()

        async def start() -> None:
            self._runner = web.AppRunner(self.app(), handler_cancellation=True, shutdown_timeout=0.1)
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
            started.set()

        def serve() -> None:
            self._loop.run_until_complete(start())
            self._loop.run_forever()

        threading.Thread(target=serve, daemon=True).start()
        started.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
