import asyncio
from collections.abc import Sequence

import pytest

from prmkit.generate import Continuation, Generation, Sampling, meter
from prmkit.generate.meter import Meter
from prmkit.generate.stop import StepStop
from prmkit.search import progress
from prmkit.search.progress import Progress
from prmkit.session import Engines, Session
from prmkit.tree import ROOT, Problem, StepTree
from tests.clock import Clock
from tests.fakes import char_text
from tests.search.world import World, world_session


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (progress, meter):
        monkeypatch.setattr(module, "time", clock)
    return clock


def sessions(n: int) -> list[Session]:
    return [world_session(World({}), {}, name=str(index)) for index in range(n)]


def watched(running: list[Session]) -> Progress:
    """As if they shared the engines of the first one."""
    return Progress(running, running[0]._engines)


def test_before_anything_is_known_nothing_is_claimed(clock: Clock) -> None:
    shown = watched(sessions(3))
    assert (shown.done, shown.total) == (0, 3)
    assert shown.figures() == {
        "accuracy": "-",
        "policy": "no reply yet",
        "PRM": "waiting",
        "cache": "-",
        "to go": "?",
    }


def test_figures_by_hand(clock: Clock) -> None:
    running = sessions(4)
    shown = watched(running)
    for session, right in zip(running, (True, True, False), strict=False):
        shown.end(session, right)
    clock.now += 30.0
    running[0]._engines.draws.add(drawn=75_000)
    running[0]._engines.readings.add(read=300)
    running[0].ledger.decode_tokens = 80_000  # 5,000 of them by the journal
    running[0].ledger.prm_tokens = 300
    running[1].ledger.prm_cached_tokens = 500
    running[2].ledger.cached_tokens = 100
    running[3].ledger.prefill_tokens = 100
    assert shown.done == 3
    assert shown.figures() == {
        # 2 of 3, and the standard error of their mean: sqrt((2/3 x 1/3) / 2).
        "accuracy": "66.7 ± 33.3 %",
        "policy": "2,500 tok/s",
        "PRM": "10 tok/s",
        # 600 of the 1000 tokens that were read; what was drawn is not read.
        "cache": "60 %",
        # Three problems in 30 seconds, and one is left.
        "to go": "10 s",
    }


def test_one_problem_has_no_error(clock: Clock) -> None:
    (only,) = running = sessions(1)
    shown = watched(running)
    shown.end(only, True)
    assert shown.figures()["accuracy"] == "100.0 %"
    assert shown.figures()["to go"] == "0 s"


def test_a_problem_that_is_reported_again_counts_once(clock: Clock) -> None:
    first, second = running = sessions(2)
    shown = watched(running)
    for right in (True, False):
        shown.end(first, right)
    assert shown.done == 1
    assert shown.figures()["accuracy"] == "0.0 %"
    shown.end(second, False)
    assert shown.done == 2


class Slow:
    """A policy that tells of its tokens as they come, and ends no request."""

    def __init__(self) -> None:
        self.meter = Meter()
        self.goes_on = asyncio.Event()

    async def generate(
        self,
        prompt_ids: Sequence[int],
        n: int,
        *,
        sampling: Sampling,
        seed: int,
        stop: StepStop | None = None,
        drawn: int = 0,
    ) -> Generation:
        self.meter.add(read=len(prompt_ids))
        await self.goes_on.wait()
        ids = tuple(map(ord, "4\n"))
        return Generation(
            continuations=tuple(Continuation(ids=ids, finish="eos") for _ in range(n)),
            cached_tokens=0,
            prefill_tokens=len(prompt_ids),
            decode_tokens=3 * n,
            flops=0.0,
        )


def test_the_speed_is_that_of_now_also_while_no_request_has_ended(clock: Clock) -> None:
    async def main() -> None:
        policy = Slow()
        engines = Engines(generator=policy, text=char_text(), sampling=Sampling())
        running = [Session(StepTree(Problem(id=name, prompt="?")), engines) for name in "pq"]
        shown = Progress(running, engines)
        assert shown.figures()["policy"] == "reading prompts"
        tasks = [asyncio.create_task(session.complete(ROOT, 2)) for session in running]
        while policy.meter.read < 4:  # "?" and its line end, of both
            await asyncio.sleep(0)
        clock.now += 10.0
        assert shown.figures()["policy"] == "reading prompts"
        for tokens, speed in ((500, "100 tok/s"), (1000, "200 tok/s"), (0, "0 tok/s")):
            clock.now += 5.0
            policy.meter.add(drawn=tokens)
            assert shown.figures()["policy"] == speed
        assert running[0].ledger.decode_tokens == shown.done == 0
        policy.goes_on.set()
        await asyncio.gather(*tasks)
        clock.now += 5.0
        assert running[0].ledger.decode_tokens == 6
        assert shown.figures()["policy"] == "0 tok/s"  # they had come before

    asyncio.run(main())
