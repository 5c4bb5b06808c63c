import asyncio
from collections import Counter

from prmkit.search.answer import answer, winners
from prmkit.search.weighted_best_of_n import weighted_best_of_n
from tests.search.world import World, run, world_session


def test_rules_by_hand() -> None:
    scores, classes = [0.4, 0.9, 0.6, 0.2], [0, 1, 0, None]
    assert winners("best", scores, classes) == [1]
    assert winners("majority", scores, classes) == [0]
    assert winners("weighted", scores, classes) == [2]  # 0.4 + 0.6 > 0.9, and of that class the better one
    assert winners("best", [0.5, 0.5], [0, 1]) == [0, 1]
    assert winners("majority", [], [None]) == []


def test_the_weighted_vote() -> None:
    world = World({"": "a! b! a!"})
    scores = {"a": 0.4, "b": 0.7}
    assert run(world_session(world, scores), lambda session: weighted_best_of_n(session, n=3)) == "a"


def test_ties_are_broken_by_seed_and_fairly() -> None:
    won = Counter(
        run(world_session(World({"": "a! b!"}), {"a": 0.5, "b": 0.5}, seed=seed), lambda s: weighted_best_of_n(s, n=2))
        for seed in range(100)
    )
    assert set(won) == {"a", "b"}
    assert min(won.values()) > 25


def test_solutions_without_scores_only_vote_where_none_has_any() -> None:
    session = world_session(World({"": "a! b! b!"}), {"a": 0.5, "b": 0.9})
    leaves = asyncio.run(session.complete(-1, 3))
    assert session.tree.steps(asyncio.run(answer(session, leaves, "best"))) == ["b"]
    asyncio.run(session.score(leaves[:1]))
    assert session.tree.steps(asyncio.run(answer(session, leaves, "best"))) == ["a"]
