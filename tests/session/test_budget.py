import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from pydantic import ValidationError

from prmkit.errors import InputError
from prmkit.generate import Generation, Sampling
from prmkit.search.beam import beam
from prmkit.search.best_of_n import best_of_n
from prmkit.search.majority import majority
from prmkit.search.mcts import mcts
from prmkit.session import Session
from prmkit.session.budget import BudgetConfig, Exhausted
from prmkit.tree import ROOT
from tests.search.world import World, run, world_session

SCORES = {"a": 0.5, "b": 0.9, "long": 0.1}


@pytest.mark.parametrize("kind", ["generations", "generated_tokens", "total_tokens", "flops", "seconds"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_budget_of_nothing_is_refused(kind: str, value: int) -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        BudgetConfig.model_validate({kind: value})


def test_generations_are_cut_to_what_is_left_and_the_answer_is_the_best_so_far() -> None:
    world = World({"": "a! b!"})
    session = world_session(world, SCORES, budget=BudgetConfig(generations=3))
    assert run(session, lambda session: best_of_n(session, n=8)) == "b"
    assert world.asked == [("", 3, "whole")]
    assert session.exhausted
    assert session.ledger.generations == 3


def test_a_budget_that_suffices_is_not_exhausted() -> None:
    session = world_session(World({"": "a! b!"}), SCORES, budget=BudgetConfig(generations=8))
    assert run(session, lambda session: best_of_n(session, n=8)) == "b"
    assert not session.exhausted


@pytest.mark.parametrize("limit", [1, 2, 5, 17, 60, 200])
def test_generated_tokens_are_never_overrun(limit: int) -> None:
    # A solution is "a" or "long" and its end: 2 or 5 tokens; a first sample may be cut by the budget itself.
    world = World({"": "a! long!"})
    session = world_session(world, SCORES, budget=BudgetConfig(generated_tokens=limit), max_tokens=40)
    run(session, lambda session: best_of_n(session, n=50))
    assert world.decoded == session.ledger.decode_tokens <= limit
    assert world.decoded > limit - 6 or len(session.finished()) == 50


def test_a_solution_cut_by_the_budget_is_cancelled_and_never_wins() -> None:
    session = world_session(World({"": "long!"}), SCORES, budget=BudgetConfig(generated_tokens=3))
    assert run(session, lambda session: best_of_n(session, n=4)) is None
    assert [node.finish for node in session.tree] == ["cancelled"]
    assert session.exhausted


@pytest.mark.parametrize("limit", [10, 30, 100, 400])
@pytest.mark.parametrize("strategy", [best_of_n, mcts])
def test_total_tokens_are_kept_with_the_prm_included(limit: int, strategy: Callable[..., Awaitable[int]]) -> None:
    world = World({"": "a! long!"}, {"a": "a!"})
    session = world_session(world, SCORES, budget=BudgetConfig(total_tokens=limit), max_tokens=40)
    run(session, lambda session: strategy(session, n=100))
    assert session.ledger.total_tokens <= limit


def test_steps_stay_within_a_token_budget() -> None:
    world = World({"": "a a a a", "a": "b b b b", "a b": "a! a! a! a!"})
    for limit in range(1, 40):
        session = world_session(world, SCORES, budget=BudgetConfig(generated_tokens=limit), max_tokens=20)
        run(session, lambda session: beam(session, n=4, width=2))
        assert session.ledger.decode_tokens <= limit


def test_flops_are_kept_once_a_sample_has_told_their_price() -> None:
    # 10 operations a token: prompt "?\n" and solutions of 2 tokens. Room for about 50 of them.
    world = World({"": "a!"})
    session = world_session(world, budget=BudgetConfig(flops=1000.0), max_tokens=40)
    run(session, lambda session: majority(session, n=90))
    assert world.asked[0] == ("", 1, "whole")
    assert 900 <= session.ledger.flops <= 1000
    assert session.exhausted


def test_an_engine_that_cannot_count_flops_is_named() -> None:
    class Uncounted(World):
        async def generate(self, *args: object, **kwargs: object) -> Generation:
            found = await super().generate(*args, **kwargs)  # type: ignore[arg-type]
            return replace(found, flops=math.nan)

    session = world_session(Uncounted({"": "a!"}), budget=BudgetConfig(flops=1000.0))
    with pytest.raises(InputError, match=r"budget.flops: an engine does not count floating-point operations"):
        run(session, lambda session: majority(session, n=9))


class Slow(World):
    """Takes a tenth of a second, unless it is cancelled."""

    cancelled = 0

    async def generate(self, *args: object, **kwargs: object) -> Generation:
        try:
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return await super().generate(*args, **kwargs)  # type: ignore[arg-type]


def test_the_clock_ends_a_request_that_runs_and_whole_solutions_come_in_portions() -> None:
    world = Slow({"": "a! b!"})
    session = world_session(world, SCORES, budget=BudgetConfig(seconds=0.35))
    assert run(session, lambda session: best_of_n(session, n=100)) == "b"
    assert [n for _, n, _ in world.asked] == [1, 1, 2]
    assert world.cancelled == 1
    assert session.exhausted


def test_a_strategy_that_knows_no_budget_is_stopped() -> None:
    async def endless(session: Session) -> int:
        while True:
            await session.expand(ROOT, 1)

    session = world_session(World({"": "a"}), budget=BudgetConfig(generations=5))
    with pytest.raises(Exhausted):
        asyncio.run(endless(session))  # type: ignore[arg-type]
    assert session.ledger.continuations == 5


def test_a_policy_that_never_stops_ends_at_the_length_of_a_solution() -> None:
    class Babbler(World):
        async def generate(self, prompt_ids: object, n: int, *, sampling: Sampling, **rest: object) -> Generation:
            self.steps = {" ".join("".join(map(chr, prompt_ids)).split("\n")[1:-1]): f"s{len(self.asked)}"}  # type: ignore[call-overload]
            return await super().generate(prompt_ids, n, sampling=sampling, **rest)  # type: ignore[arg-type]

    session = world_session(Babbler({}), {f"s{index}": 0.5 for index in range(100)}, max_tokens=12)
    assert run(session, lambda session: beam(session, n=2, width=2)) is None
    assert session.ledger.generator_calls <= 4


def test_a_shared_clock_is_spread_over_the_problems() -> None:
    session = world_session(World({"": "a!"}), budget=BudgetConfig(seconds=2.0, shared=True), problems=5)
    assert 9.0 < session.allowance.seconds_left <= 10.0
    session.allowance.resume(8.0)
    assert 1.0 < session.allowance.seconds_left <= 2.0
