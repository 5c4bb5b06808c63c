import asyncio

import pytest

from prmkit.search.mcts import mcts
from prmkit.search.uct import SearchTree
from tests.fakes import NarrowPolicy, TableScorer, make_session
from tests.search.world import World, run, world_session

STEPS = {"": "a b", "a": "a1 a2", "b": "b1 b2", "b b1": "p! q!", "b b2": "r! s!"}
ROLLOUTS = {"a": "ra!", "b": "rb!", "b b1": "rb1!", "b b2": "rb2!"}
SCORES = {"a": 0.6, "b": 0.5, "a1": 0.1, "a2": 0.1, "b1": 0.7, "b2": 0.3, "r": 0.85, "s": 0.2}
SCORES |= {"ra": 0.2, "rb": 0.9, "rb1": 0.4, "rb2": 0.8}

TRACE = [
    ("", 2, "step"),  # children a (.6) and b (.5), in the order of their scores
    ("a", 1, "whole"),  # .2
    ("b", 1, "whole"),  # .9, since b was never visited
    # UCT: a .2 + sqrt(ln 2) = 1.0326, b .9 + sqrt(ln 2) = 1.7326: b, visited before, is expanded
    ("b", 2, "step"),
    ("b b1", 1, "whole"),  # .4; of two new children the better scored
    # a .2 + sqrt(ln 3) = 1.2481, b .65 + sqrt(ln 3 / 2) = 1.3911: b, and there b2 was never visited
    ("b b2", 1, "whole"),  # .8
    # a .2 + sqrt(ln 4) = 1.37741, b .7 + sqrt(ln 4 / 3) = 1.37978: b again; b1 1.4481, b2 1.8481: b2 is expanded
    ("b b2", 2, "step"),
    # its child r is finished: its own reward, .85, and no rollout
]


def test_the_trace_by_hand() -> None:
    world = World(STEPS, ROLLOUTS)
    session = world_session(world, SCORES)
    assert run(session, lambda session: mcts(session, n=5, width=2)) == "b rb"
    assert world.asked == TRACE
    # Depth 1: 2 drawn; depth 2: 2 steps and the rollouts of a and b; depth 3: 2 steps and 4 rollouts.
    assert session.ledger.generations == 6
    assert [len(checkpoint.leaves) for checkpoint in session.checkpoints] == [1, 1, 1, 1, 2]


def test_walks_through_a_tree_that_is_known_to_its_end_are_not_noted() -> None:
    session = world_session(World({"": "a! b!"}), {"a": 0.5, "b": 0.9})
    assert run(session, lambda session: mcts(session, n=50, width=2)) == "b"
    assert [checkpoint.leaves for checkpoint in session.checkpoints] == [(0, 1)]


def test_the_answer_by_visits_lies_where_most_simulations_went() -> None:
    # ROOT -> b (4 of 5) -> b2 (2 of 3) -> r: the best finished solution there is r itself.
    world = World(STEPS, ROLLOUTS)
    assert (
        run(world_session(world, SCORES), lambda session: mcts(session, n=5, width=2, answer_by="visits")) == "b b2 r"
    )


def test_the_prm_may_stand_in_for_rollouts() -> None:
    world = World(STEPS)
    session = world_session(world, SCORES)
    assert run(session, lambda session: mcts(session, n=5, width=2, value="prm")) is None
    assert all(kind == "step" for _, _, kind in world.asked)
    # 1: a .6; 2: b .5; 3: a 1.4326 before b 1.3326: a1 .1; 4: b (1.5481) before a (.35 + .7412): b1 .7; 5: b (.6 +
    # sqrt(ln 4 / 2) = 1.4326) before a (1.1826): b2, never visited.
    assert world.asked == [("", 2, "step"), ("a", 2, "step"), ("b", 2, "step")]


def test_a_mix_weighs_both() -> None:
    # 1: a .5 x .2 + .5 x .6 = .4; 2: b .5 x .9 + .5 x .5 = .7; 3: .7 + sqrt(ln 2) is the larger, so b is expanded.
    world = World(STEPS, ROLLOUTS)
    session = world_session(world, SCORES)
    assert run(session, lambda session: mcts(session, n=3, width=2, value="mix")) == "b rb"
    assert world.asked == TRACE[:5]


def test_leaves_of_a_round_differ_by_virtual_loss() -> None:
    world = World(STEPS, ROLLOUTS)
    run(world_session(world, SCORES), lambda session: mcts(session, n=2, width=2, parallel=2))
    assert world.asked == TRACE[:3]


def test_rounds_do_not_depend_on_who_is_faster() -> None:
    trees = []
    for pause in (0.0, 0.001):
        session = world_session(
            World(STEPS, ROLLOUTS | {"a a1": "u!", "a a2": "v!"}, pause), SCORES | {"u": 0.3, "v": 0.3}
        )
        run(session, lambda session: mcts(session, n=6, width=2, parallel=3))
        trees.append(session.end()[0])
    assert trees[0] == trees[1]


def test_an_unfinished_rollout_is_worth_nothing_and_answers_nothing() -> None:
    world = World({"": "a", "a": "b~"}, {"a": "x~"})
    session = world_session(world, {"a": 0.6})
    assert run(session, lambda session: mcts(session, n=3, width=1)) is None


def test_a_leaf_that_turns_out_to_be_an_end_is_revisited_at_its_own_reward() -> None:
    world = World({"": "a", "a": "b", "a b": "."}, {"a": "x!", "a b": "y!"})
    session = world_session(world, {"a": 0.5, "b": 0.7, "x": 0.1, "y": 0.2})
    assert run(session, lambda session: mcts(session, n=5, width=2)) == "a b"
    assert [path for path, _, kind in world.asked if kind == "step"] == ["", "a", "a b"]


def test_a_step_drawn_twice_is_one_child() -> None:
    world = World({"": "a a b", "a": "x! x! x!", "b": "y!"}, {"a": "x!", "b": "y!"})
    run(world_session(world, {"a": 0.1, "b": 0.2, "x": 0.1, "y": 0.2}), lambda session: mcts(session, n=2, width=3))
    assert world.asked == [("", 3, "step"), ("b", 1, "whole"), ("a", 1, "whole")]


@pytest.mark.parametrize("first", [".", "_"])
def test_a_policy_that_writes_nothing(first: str) -> None:
    assert run(world_session(World({"": first}), {}), lambda session: mcts(session, n=3)) is None


def test_a_leaf_that_no_token_fits_behind_counts_as_an_unfinished_rollout(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not tell its context: the step comes open, and is found to be full when it is rolled out."""
    rewards: list[float] = []
    monkeypatch.setattr(SearchTree, "back_up", lambda self, leaf, value: rewards.append(value))
    session = make_session(NarrowPolicy(5, told=False), scorer=TableScorer({"ab": 0.5}))
    asyncio.run(mcts(session, n=3, width=1))
    assert rewards == [0.0, 0.0, 0.0]
