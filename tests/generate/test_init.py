import asyncio

import pytest

from prmkit.errors import InputError
from prmkit.generate import check_prompt, together


def test_a_prompt_must_hold_a_token_and_leave_room_for_one() -> None:
    check_prompt([1, 2], 3)
    check_prompt([1, 2], None)
    with pytest.raises(InputError, match="empty prompt"):
        check_prompt([], None)
    with pytest.raises(InputError, match="the prompt fills the context, got '3 tokens'; expected fewer than 3"):
        check_prompt([1, 2, 3], 3)


def test_results_come_in_the_order_of_the_requests_not_of_their_ends() -> None:
    async def reply(number: int) -> int:
        for _ in range(3 - number):
            await asyncio.sleep(0)
        return number

    assert asyncio.run(together(reply(number) for number in range(3))) == [0, 1, 2]


def test_the_first_error_is_raised_as_it_is_and_cancels_the_others() -> None:
    cancelled = []

    async def wait_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def fail() -> None:
        await asyncio.sleep(0)
        raise InputError("no such thing")

    with pytest.raises(InputError, match=r"^no such thing$"):
        asyncio.run(together([wait_for_ever(), fail(), wait_for_ever()]))
    assert cancelled == [True, True]
