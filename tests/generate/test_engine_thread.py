import asyncio
import threading
from typing import Any

import pytest

from prmkit.generate.engine_thread import EngineThread, Ticket

Tickets = list[Ticket[int, int]]


def test_requests_of_tasks_that_became_ready_together_come_together() -> None:
    steps: list[list[int]] = []

    def step(new: Tickets) -> bool:
        steps.append([ticket.request for ticket in new])
        for ticket in new:
            ticket.answer(ticket.request * 10)
        return False

    async def main() -> list[int]:
        engine = EngineThread(step)
        return await asyncio.gather(*(engine.submit(number) for number in range(5)))

    assert asyncio.run(main()) == [0, 10, 20, 30, 40]
    assert steps == [[0, 1, 2, 3, 4]]


def test_a_request_joins_while_another_is_worked_on() -> None:
    """The first request is answered three steps after the second came."""
    arrived = threading.Event()
    waiting: list[tuple[int, Ticket[int, int]]] = []
    log: list[int] = []

    def step(new: Tickets) -> bool:
        waiting.extend((ticket.request, ticket) for ticket in new)
        if len(waiting) == 1 and not log:
            arrived.wait(5)
        for index in reversed(range(len(waiting))):
            left, ticket = waiting[index]
            waiting[index] = (left - 1, ticket)
            if left == 1:
                log.append(ticket.request)
                ticket.answer(ticket.request)
                del waiting[index]
        return bool(waiting)

    async def main() -> None:
        engine = EngineThread(step)
        first = asyncio.ensure_future(engine.submit(4))
        await asyncio.sleep(0.01)
        second = asyncio.ensure_future(engine.submit(1))
        await asyncio.sleep(0)
        arrived.set()
        await asyncio.gather(first, second)

    asyncio.run(main())
    assert log == [1, 4]


def test_an_error_reaches_all_who_wait_and_the_engine_goes_on_also_in_another_event_loop() -> None:
    def step(new: Tickets) -> bool:
        if any(ticket.request == 0 for ticket in new):
            raise ValueError("broken")
        for ticket in new:
            ticket.answer(ticket.request)
        return False

    engine = EngineThread(step)

    async def broken() -> list[int | BaseException]:
        return await asyncio.gather(engine.submit(0), engine.submit(1), return_exceptions=True)

    assert [str(error) for error in asyncio.run(broken())] == ["broken", "broken"]
    assert asyncio.run(engine.submit(7)) == 7


def test_a_ticket_whose_task_was_cancelled_is_dropped() -> None:
    dropped: list[bool] = []
    entered, leave = threading.Event(), threading.Event()

    def step(new: Tickets) -> bool:
        entered.set()
        leave.wait(5)
        dropped.extend(ticket.dropped for ticket in new)
        for ticket in new:
            ticket.answer(1)
        return False

    async def main() -> None:
        task = asyncio.ensure_future(EngineThread(step).submit(1))
        while not entered.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        leave.set()

    asyncio.run(main())
    leave.wait(5)
    while not dropped:
        pass
    assert dropped == [True]


def test_all_who_are_answered_in_one_step_are_woken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    woken = 0

    def step(new: Tickets) -> bool:
        for ticket in new:
            ticket.answer(ticket.request)
        return False

    async def main() -> list[int]:
        loop, engine = asyncio.get_running_loop(), EngineThread(step)
        call = loop.call_soon_threadsafe

        def counted(callback: Any, *args: Any, **kwargs: Any) -> asyncio.Handle:
            nonlocal woken
            woken += 1
            return call(callback, *args, **kwargs)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        return await asyncio.gather(*(engine.submit(number) for number in range(50)))

    assert asyncio.run(main()) == list(range(50))
    assert woken == 1


def test_work_that_is_left_when_all_are_answered_is_still_done() -> None:
    """An engine clears up after a request that it gave up."""
    steps, cleared = 0, threading.Event()

    def step(new: Tickets) -> bool:
        nonlocal steps
        steps += 1
        for ticket in new:
            ticket.answer(1)
        if steps == 3:
            cleared.set()
        return steps < 3

    assert asyncio.run(EngineThread(step).submit(0)) == 1
    assert cleared.wait(5)
