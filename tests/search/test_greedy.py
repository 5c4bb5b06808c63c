from prmkit.search.greedy import greedy
from tests.search.world import World, run, world_session

STEPS = {"": "a b", "b": "c d", "b d": "e! f"}
SCORES = {"a": 0.3, "b": 0.6, "c": 0.1, "d": 0.2, "e": 0.9, "f": 0.8}


def test_each_step_goes_on_from_the_best_candidate() -> None:
    world = World(STEPS)
    assert run(world_session(world, SCORES), lambda session: greedy(session, n=2)) == "b d e"
    assert world.asked == [("", 2, "step"), ("b", 2, "step"), ("b d", 2, "step")]


def test_a_solution_that_does_not_end_is_no_answer() -> None:
    world = World({"": "a", "a": "b", "a b": "a", "a b a": "b", "a b a b": "a"})
    session = world_session(world, {"a": 0.5, "b": 0.5})
    assert run(session, lambda session: greedy(session, n=1, max_steps=4)) is None
    assert len(world.asked) == 4
    assert not session.exhausted


def test_a_step_that_repeats_itself_is_given_up() -> None:
    session = world_session(World({"": "a", "a": "a", "a a": "a"}), {"a": 0.5})
    assert run(session, lambda session: greedy(session, n=1)) is None
    assert [node.finish for node in session.tree] == ["stop", "stop", "cancelled"]


def test_the_end_may_come_as_nothing_after_the_last_step() -> None:
    session = world_session(World({"": "a", "a": "."}), {"a": 0.5})
    assert run(session, lambda session: greedy(session, n=2)) == "a"
    # The two candidates were a and a; whichever was kept is its own end.
    assert len(session.tree) == 2
    assert len(session.finished()) == 1


def test_all_candidates_empty_or_cut() -> None:
    for first in ("_", "a~"):
        session = world_session(World({"": first}), {"a": 0.5})
        assert run(session, lambda session: greedy(session, n=3)) is None


def test_pruning_never_leaves_nothing() -> None:
    world = World(STEPS)
    assert run(world_session(world, SCORES), lambda session: greedy(session, n=2, prune=0.95)) == "b d e"
