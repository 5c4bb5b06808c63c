import pytest

from prmkit.search.adaptive import adaptive_best_of_n, probability_of_leading
from tests.search.world import World, run, world_session


def test_the_probability_that_a_leader_leads() -> None:
    assert probability_of_leading(0, 0) == 0.5
    assert probability_of_leading(1, 0) == 0.75  # Beta(2, 1): 1 - 1/4
    assert probability_of_leading(4, 0) == pytest.approx(1 - 1 / 32)
    assert probability_of_leading(2, 1) == pytest.approx(11 / 16)  # Binomial(4, 1/2) <= 2


def test_it_stops_once_the_prm_is_sure() -> None:
    world = World({"": "a! b!"})
    session = world_session(world, {"a": 0.5, "b": 0.97})
    assert run(session, lambda session: adaptive_best_of_n(session, n=8, portion=2)) == "b"
    assert world.asked == [("", 2, "whole")]
    world = World({"": "a! b!"})
    run(world_session(world, {"a": 0.5, "b": 0.9}), lambda session: adaptive_best_of_n(session, n=5, portion=2))
    assert [n for _, n, _ in world.asked] == [2, 2, 1]


def test_it_stops_once_the_vote_is_sure() -> None:
    # Five votes to none: 1 - 1/64 = .984; four: .969 already.
    world = World({"": "a!"})
    session = world_session(world)
    answered = run(
        session,
        lambda session: adaptive_best_of_n(
            session, n=16, portion=1, sure_by="vote", confidence=0.96, answer_by="majority"
        ),
    )
    assert answered == "a"
    assert len(world.asked) == 4
