"""Requests that belong together: all succeed, or none goes on."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

_Reply = TypeVar("_Reply")


async def together(work: Iterable[Coroutine[Any, Any, _Reply]]) -> list[_Reply]:
    """The results of all, in their order. The first error cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as error:
        raise error.exceptions[0] from None
    return [task.result() for task in tasks]
