"""The thread of an engine that lives in this process: it serves the requests of many tasks."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

_Request = TypeVar("_Request")
_Reply = TypeVar("_Reply")


class Ticket(Generic[_Request, _Reply]):
    """A request on its way, and the task that waits for its reply."""

    def __init__(self, request: _Request, future: "asyncio.Future[_Reply]") -> None:
        self.request = request
        self.loop = future.get_loop()
        self._future = future
        self._settle: Callable[[], None] | None = None

    @property
    def dropped(self) -> bool:
        """Whether nobody waits for the reply any more."""
        return self._future.cancelled() or self.loop.is_closed()

    @property
    def answered(self) -> bool:
        """Whether there is a reply or an error, which is sent at the end of the engine's step."""
        return self._settle is not None

    def answer(self, reply: _Reply) -> None:
        """Send the reply to the task that asked."""
        self._settle = partial(self._future.set_result, reply)

    def fail(self, error: BaseException) -> None:
        """Raise an error in the task that asked."""
        self._settle = partial(self._future.set_exception, error)

    def deliver(self) -> None:
        """Give the task what it waits for; called in its event loop."""
        if self._settle is not None and not self._future.done():
            self._settle()


class EngineThread(Generic[_Request, _Reply]):
    """One thread that serves the requests of all tasks, whichever event loop they run in.

    Args:
        step: does one piece of work and returns whether more is left. It is given the requests that came since, in
            their order, and answers them in this step or a later one. An error that it raises ends every request that
            it was given and has not answered; it must then be ready for others.
    """

    def __init__(self, step: Callable[[list[Ticket[_Request, _Reply]]], bool]) -> None:
        self._step = step
        self._new: deque[Ticket[_Request, _Reply]] = deque()
        self._lock = threading.Lock()
        self._works = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")

    async def submit(self, request: _Request) -> _Reply:
        """The engine's reply; raises what the engine raised."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Reply] = loop.create_future()
        self._new.append(Ticket(request, future))
        # Tasks that became ready together ask one after another: let all of them ask before the work begins.
        loop.call_soon(self._wake)
        return await future

    def _wake(self) -> None:
        with self._lock:
            if self._works or not self._new:
                return
            self._works = True
        self._thread.submit(self._work)

    def _work(self) -> None:
        given: list[Ticket[_Request, _Reply]] = []
        more = False
        while True:
            with self._lock:
                new = [self._new.popleft() for _ in range(len(self._new))]
                if not new and not more:
                    self._works = False
                    return
            given += new
            try:
                more = self._step(new)
                assert more or all(ticket.answered or ticket.dropped for ticket in given)
            except BaseException as error:  # it belongs to those who asked
                more = False
                for ticket in given:
                    if not ticket.answered:
                        ticket.fail(error)
            _deliver([ticket for ticket in given if ticket.answered])
            given = [ticket for ticket in given if not (ticket.answered or ticket.dropped)]


def _deliver(tickets: list[Ticket[_Request, _Reply]]) -> None:
    """Wake each event loop once, whatever the number of its tasks that have a reply."""
    of_loop: dict[asyncio.AbstractEventLoop, list[Ticket[_Request, _Reply]]] = {}
    for ticket in tickets:
        of_loop.setdefault(ticket.loop, []).append(ticket)
    for loop, replies in of_loop.items():
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(_settle, replies)


def _settle(tickets: list[Ticket[_Request, _Reply]]) -> None:
    for ticket in tickets:
        ticket.deliver()
