import pytest

from prmkit.errors import InputError
from prmkit.score.aggregate import Aggregation
from prmkit.search.beam import beam
from tests.search.world import World, run, world_session

STEPS = {
    "": "a b c d",
    "a": "a1 a2",
    "b": "b1! b2",
    "a a1": "x! y",
    "a a1 y": "z! z!",
}
# K = 4 / 2 = 2. Level 1: a .9, b .8 stay. Level 2 (cumulative): a1 1.6, a2 1.0, b1 1.5, b2 1.1: a1 and the finished b1
# stay; one place is left. Level 3: x 2.5 beats y 2.0, and is finished: the search ends.
SCORES = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.1, "a1": 0.7, "a2": 0.1, "b1": 0.7, "b2": 0.3, "x": 0.9, "y": 0.4}


def test_the_cumulative_sum_keeps_the_best_paths_and_a_finished_one_keeps_its_place() -> None:
    world = World(STEPS)
    session = world_session(world, SCORES)
    assert run(session, lambda session: beam(session, n=4, width=2)) == "a a1 x"
    assert world.asked == [("", 4, "step"), ("a", 2, "step"), ("b", 2, "step"), ("a a1", 2, "step")]
    assert session.ledger.generations == 4
    assert session.ledger.continuations == 10


@pytest.mark.parametrize(
    ("how", "kept"),
    [("sum", ["a a1", "a a2"]), ("last", ["b b1", "b b2"]), ("min", ["b b1", "b b2"]), ("prod", ["a a1", "b b2"])],
)
def test_how_a_path_is_scored_decides_what_is_kept(how: Aggregation, kept: list[str]) -> None:
    # a1 a2 b1 b2: sum 1.2 1.15 .95 1.1; last .3 .25 .45 .6; min .3 .25 .45 .5; prod .27 .225 .225 .3.
    steps = {"": "a b c d", "a": "a1 a2", "b": "b1 b2"} | dict.fromkeys(("a a1", "a a2", "b b1", "b b2"), "z!")
    scores = {"a": 0.9, "b": 0.5, "c": 0.1, "d": 0.1, "a1": 0.3, "a2": 0.25, "b1": 0.45, "b2": 0.6, "z": 0.5}
    world = World(steps)
    run(world_session(world, scores), lambda session: beam(session, n=4, width=2, score=how))
    assert sorted(path for path, _, _ in world.asked[3:]) == kept


def test_equal_scores_are_broken_by_seed_and_fairly() -> None:
    steps = {"": "a b", "a": "x! x!", "b": "y! y!"}
    scores = dict.fromkeys("abxy", 0.5)
    kept = [0, 0]
    for seed in range(100):
        world = World(steps)
        run(world_session(world, scores, seed=seed), lambda session: beam(session, n=2, width=2))
        kept[world.asked[1][0] == "b"] += 1
    assert min(kept) > 25  # binomial(100, 1/2): five standard deviations


def test_paths_of_the_same_text_may_share_a_place() -> None:
    steps = {"": "a a b c", "a": "x! x!", "b": "y! y!"}
    scores = {"a": 0.9, "b": 0.5, "c": 0.1, "x": 0.5, "y": 0.6}
    world = World(steps)
    run(world_session(world, scores), lambda session: beam(session, n=4, width=2))
    assert world.asked[1:] == [("a", 2, "step"), ("a", 2, "step")]
    world = World(steps)
    assert run(world_session(world, scores), lambda session: beam(session, n=4, width=2, merge=True)) == "b y"
    assert world.asked[1:] == [("a", 2, "step"), ("b", 2, "step")]


def test_pruning_frees_places() -> None:
    world = World(STEPS)
    run(world_session(world, SCORES), lambda session: beam(session, n=4, width=2, prune=0.85))
    assert world.asked[:2] == [("", 4, "step"), ("a", 2, "step")]


def test_all_candidates_unfinished_is_no_answer() -> None:
    session = world_session(World({"": "a~ b~"}), {"a": 0.5, "b": 0.5})
    assert run(session, lambda session: beam(session, n=2, width=2)) is None
    assert session.ledger.prm_calls == 0


def test_n_must_be_a_multiple_of_width() -> None:
    with pytest.raises(InputError, match="strategy beam: n is no multiple of width, got 'n=6, width=4'"):
        run(world_session(World(STEPS), SCORES), lambda session: beam(session, n=6))
