"""All problems at once: a strategy as one task a problem."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from prmkit.session import Session


async def run_sessions(
    sessions: Sequence[Session], strategy: Callable[[Session], Awaitable[None]], *, done: Callable[[Session], None]
) -> None:
    """Run a strategy on every session; ``done`` is called as each one ends.

    The first error ends the run and is raised; the other tasks are cancelled, and what the journal holds is kept.
    """

    async def one(session: Session) -> None:
        await strategy(session)
        done(session)

    try:
        async with asyncio.TaskGroup() as group:
            for session in sessions:
                group.create_task(one(session))
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
