"""All problems at once: a strategy as one task a problem."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from prmkit.session import Session
from prmkit.session.pool import Pool

Tick = Callable[[], None]

_SECONDS_BETWEEN_TICKS = 0.5


async def run_sessions(
    sessions: Sequence[Session],
    strategy: Callable[[Session], Awaitable[None]],
    *,
    shared: bool = False,
    tick: Tick | None = None,
) -> None:
    """Run a strategy on every session.

    The first error ends the run and is raised; the other tasks are cancelled, and what the journal holds is kept.

    Args:
        sessions: one a problem.
        strategy: what is done to each.
        shared: let problems that end leave what they did not use to the others.
        tick: called twice a second meanwhile, to show how things stand.
    """
    pool = Pool([session.allowance for session in sessions]) if shared else None

    async def one(session: Session) -> None:
        if pool is not None:
            session.share(pool)
        try:
            await strategy(session)
        finally:
            if pool is not None:
                pool.leave(session.allowance)

    try:
        with _lasting():
            async with ticking(tick or (lambda: None)), asyncio.TaskGroup() as group:
                for session in sessions:
                    group.create_task(one(session))
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None


@contextmanager
def _lasting() -> Iterator[None]:
    """What is there stays while the block lasts: the collector, which small engines wait for, passes over it.

    Those are some 400,000 objects of imported modules and models.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@asynccontextmanager
async def ticking(tick: Tick) -> AsyncIterator[None]:
    """Call ``tick`` twice a second while the block lasts."""

    async def forever() -> None:
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_TICKS)
            tick()

    ticker = asyncio.create_task(forever())
    try:
        yield
    finally:
        ticker.cancel()
