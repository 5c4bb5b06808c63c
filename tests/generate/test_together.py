import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from prmkit.errors import RunError
from prmkit.generate.together import together


class Works:
    """Coroutines that say their number after a while, and which of them were begun and cancelled."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.cancelled: list[int] = []

    async def say(self, number: int, seconds: float) -> int:
        self.begun.append(number)
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        return number

    async def fail(self, error: BaseException) -> int:
        raise error


def test_results_stand_in_the_order_of_the_work_whichever_was_faster() -> None:
    works = Works()
    assert asyncio.run(together(works.say(number, 0.003 * (3 - number)) for number in range(4))) == [0, 1, 2, 3]
    assert asyncio.run(together([])) == []


@pytest.mark.parametrize("error", [RunError("engine lost"), ValueError("ours"), TimeoutError()])
def test_the_first_error_is_raised_as_it_is_and_the_others_do_not_go_on(error: Exception) -> None:
    works = Works()
    with pytest.raises(type(error)) as raised:
        asyncio.run(together([works.say(0, 60), works.fail(error), works.say(2, 60)]))
    assert raised.value is error
    assert sorted(works.begun) == sorted(works.cancelled) == [0, 2]


def test_of_two_errors_the_first_is_raised() -> None:
    works = Works()
    with pytest.raises(RunError, match="first"):
        asyncio.run(together([works.fail(RunError("first")), works.fail(RunError("second"))]))


def test_who_is_cancelled_cancels_all() -> None:
    works = Works()

    async def main() -> None:
        task = asyncio.create_task(together([works.say(0, 60), works.say(1, 60)]))
        while len(works.begun) < 2:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert sorted(works.cancelled) == [0, 1]


def test_work_that_cannot_be_begun_ends_what_was() -> None:
    works = Works()

    def work() -> Iterator[Coroutine[Any, Any, int]]:
        yield works.say(0, 60)
        raise RunError("no more")

    with pytest.raises(RunError, match="no more"):
        asyncio.run(together(work()))
    assert works.begun == works.cancelled
