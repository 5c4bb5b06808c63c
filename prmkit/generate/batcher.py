"""Requests of many tasks, run together: the queue in front of an engine."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Request = TypeVar("Request")
Reply = TypeVar("Reply")


class Batcher(Generic[Request, Reply]):
    """Gathers what is asked while the engine is busy and runs it as one batch, first come first served.

    Args:
        run: computes the replies of a batch, in its order; called in one worker thread, never twice at once.
        size: the room a request takes.
        capacity: the room of a batch; a larger request runs alone.
    """

    def __init__(
        self, run: Callable[[list[Request]], list[Reply]], *, size: Callable[[Request], int], capacity: int
    ) -> None:
        self._run = run
        self._size = size
        self._capacity = capacity
        self._waiting: deque[tuple[Request, asyncio.Future[Reply]]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")

    async def submit(self, request: Request) -> Reply:
        """The engine's reply; raises what the engine raised on the batch."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            # Tasks that became ready together ask one after another: let all of them ask before the batch closes.
            known = 0
            while known < len(self._waiting):
                known = len(self._waiting)
                await asyncio.sleep(0)
            batch = self._take()
            try:
                replies = await loop.run_in_executor(self._thread, self._run, [request for request, _ in batch])
            except Exception as error:  # the engine's error belongs to those who asked, not to this task
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), reply in zip(batch, replies, strict=True):
                if not future.done():
                    future.set_result(reply)

    def _take(self) -> list[tuple[Request, asyncio.Future[Reply]]]:
        batch = [self._waiting.popleft()]
        room = self._capacity - self._size(batch[0][0])
        while self._waiting and self._size(self._waiting[0][0]) <= room:
            batch.append(self._waiting.popleft())
            room -= self._size(batch[-1][0])
        return batch
