import asyncio

import pytest

from prmkit.generate.batcher import Batcher


def test_requests_of_many_tasks_run_as_one_batch_and_get_their_own_reply() -> None:
    batches: list[list[int]] = []

    def run(requests: list[int]) -> list[int]:
        batches.append(requests)
        return [request * 10 for request in requests]

    async def main() -> list[int]:
        batcher = Batcher(run, size=lambda request: 1, capacity=3)
        return await asyncio.gather(*(batcher.submit(number) for number in range(5)))

    assert asyncio.run(main()) == [0, 10, 20, 30, 40]
    assert batches == [[0, 1, 2], [3, 4]]


def test_a_request_larger_than_the_capacity_runs_alone() -> None:
    batches: list[list[int]] = []

    def run(requests: list[int]) -> list[int]:
        batches.append(requests)
        return requests

    async def main() -> None:
        batcher = Batcher(run, size=lambda request: request, capacity=4)
        await asyncio.gather(*(batcher.submit(number) for number in (9, 2, 2)))

    asyncio.run(main())
    assert batches == [[9], [2, 2]]


def test_an_engine_error_reaches_those_who_asked_and_the_next_batch_runs() -> None:
    def run(requests: list[int]) -> list[int]:
        if 0 in requests:
            raise ValueError("broken")
        return requests

    async def main() -> int:
        batcher = Batcher(run, size=lambda request: 1, capacity=1)
        with pytest.raises(ValueError, match="broken"):
            await batcher.submit(0)
        return await batcher.submit(7)

    assert asyncio.run(main()) == 7
