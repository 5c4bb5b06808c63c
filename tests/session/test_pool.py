import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

from prmkit.session import Session
from prmkit.session.budget import Allowance, BudgetConfig
from prmkit.session.concurrent import run_sessions
from prmkit.session.ledger import Ledger
from prmkit.session.pool import Pool
from prmkit.tree import ROOT
from tests.search.world import World, world_session


def allowances(*spent: int, limit: int = 5) -> list[Allowance]:
    """Problems of ``limit`` generations each, of which they have spent so many."""
    return [Allowance(BudgetConfig(generations=limit, shared=True), Ledger(generations=used)) for used in spent]


def limits(some: Sequence[Allowance]) -> list[float]:
    return [one.limits["generations"] for one in some]


def run(work: Awaitable[None]) -> None:
    """Run a test; one whose tasks wait for ever fails."""
    asyncio.run(asyncio.wait_for(work, 5))


@pytest.mark.parametrize("first", [1, 2])
def test_those_that_wait_get_equal_parts_once_all_others_have_ended(first: int) -> None:
    async def main() -> None:
        some = allowances(2, 5, 5)
        pool = Pool(some)
        waits = [asyncio.create_task(pool.more(some[index])) for index in (first, 3 - first)]
        await asyncio.sleep(0)
        assert not any(wait.done() for wait in waits)
        pool.leave(some[0])
        assert await asyncio.gather(*waits) == [True, True]
        # Of the 3 that are left the earlier problem has 2, whoever waited first.
        assert limits(some) == [5, 7, 6]

    run(main())


def test_what_is_left_is_dealt_out_once() -> None:
    async def main() -> None:
        some = allowances(4, 5, 5)
        pool = Pool(some)
        pool.leave(some[0])
        assert await asyncio.gather(pool.more(some[1]), pool.more(some[2])) == [True, False]
        assert limits(some) == [5, 6, 5]
        pool.leave(some[1])  # without having used it
        assert await pool.more(some[2])
        assert not await pool.more(some[2])
        assert limits(some) == [5, 6, 6]

    run(main())


def test_a_problem_alone_has_nobody_to_wait_for() -> None:
    async def main() -> None:
        (one,) = allowances(5)
        assert not await Pool([one]).more(one)

    run(main())


def test_what_one_problem_spent_too_much_is_not_taken_from_the_others() -> None:
    async def main() -> None:
        some = allowances(9, 3, 5)
        pool = Pool(some)
        pool.leave(some[0])
        pool.leave(some[1])
        assert await pool.more(some[2])
        assert limits(some) == [5, 5, 7]

    run(main())


def test_every_limit_is_dealt_out_on_its_own_in_whole_units() -> None:
    async def main() -> None:
        config = BudgetConfig(generations=2, generated_tokens=10, flops=7.5, shared=True)
        ended = Allowance(config, Ledger(generations=2, decode_tokens=4, generator_flops=5.0))
        waits = Allowance(config, Ledger(generations=1, decode_tokens=10, generator_flops=7.0))
        pool = Pool([ended, waits])
        pool.leave(ended)
        assert await pool.more(waits)
        assert waits.limits == {"generations": 2, "decode_tokens": 16, "flops": 9.5}

    run(main())


def test_two_requests_of_one_problem_may_wait_at_once() -> None:
    async def main() -> None:
        some = allowances(2, 5)
        pool = Pool(some)
        waits = [asyncio.create_task(pool.more(some[1])) for _ in range(2)]
        await asyncio.sleep(0)
        pool.leave(some[0])
        assert await asyncio.gather(*waits) == [True, True]
        assert limits(some) == [5, 8]

    run(main())


def test_who_gave_up_waiting_holds_nothing_back_and_gets_nothing() -> None:
    async def main() -> None:
        some = allowances(2, 5, 5)
        pool = Pool(some)
        given_up = asyncio.create_task(pool.more(some[1]))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        pool.leave(some[1])
        waits = asyncio.create_task(pool.more(some[2]))
        await asyncio.sleep(0)
        assert not waits.done()  # the first problem goes on
        pool.leave(some[0])
        assert await waits
        assert limits(some) == [5, 5, 8]

    run(main())


@pytest.mark.parametrize("pause", [0.0, 0.001, 0.003])
def test_what_easy_problems_leave_goes_to_those_that_ask_for_more_however_fast_they_are(pause: float) -> None:
    # Four problems of 4 generations each. Two need 1; the other two want 9 and get 4 + 3 each.
    async def greedy_for(session: Session) -> None:
        want = 1 if session.tree.problem.id in "01" else 9
        with session.until_exhausted():
            for _ in range(want):
                await session.complete(ROOT, 1)

    sessions = [
        world_session(World({"": "a!"}, pause=pause), budget=BudgetConfig(generations=4, shared=True), name=str(index))
        for index in range(4)
    ]
    asyncio.run(run_sessions(sessions, greedy_for, shared=True))
    assert [session.ledger.generations for session in sessions] == [1, 1, 7, 7]
    assert [session.exhausted for session in sessions] == [False, False, True, True]


def test_a_strategy_may_draw_several_at_once_from_a_shared_budget() -> None:
    async def at_once(session: Session) -> None:
        want = 1 if session.tree.problem.id == "0" else 6
        with session.until_exhausted():
            await asyncio.gather(*(session.complete(ROOT, 1) for _ in range(want)))

    sessions = [
        world_session(World({"": "a!"}, pause=0.001), budget=BudgetConfig(generations=4, shared=True), name=str(index))
        for index in range(2)
    ]
    run(run_sessions(sessions, at_once, shared=True))
    assert [session.ledger.generations for session in sessions] == [1, 6]


def test_an_end_looks_at_no_other_problem_while_one_is_at_work() -> None:
    """With thousands of problems it would be the square of their number."""
    looks: list[None] = []

    class Waiting(dict[Any, Any]):
        def items(self) -> Any:
            looks.append(None)
            return super().items()

    async def main() -> None:
        some = allowances(*[5] * 20)
        pool = Pool(some)
        pool._waiting = Waiting()
        wait = asyncio.create_task(pool.more(some[0]))
        await asyncio.sleep(0)
        for one in some[1:-1]:
            pool.leave(one)
        assert not looks
        pool.leave(some[-1])
        assert await wait is False
        assert looks

    run(main())
