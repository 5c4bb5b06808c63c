import asyncio

from prmkit.search.answer import answer, winners
from tests.search.world import World, world_session


def test_rules_by_hand() -> None:
    scores, classes = [0.4, 0.9, 0.6, 0.2], [0, 1, 0, None]
    assert winners("best", scores, classes) == [1]
    assert winners("majority", scores, classes) == [0]
    assert winners("weighted", scores, classes) == [2]  # 0.4 + 0.6 > 0.9, and of that class the better one
    assert winners("best", [0.5, 0.5], [0, 1]) == [0, 1]
    assert winners("majority", [], [None]) == []


def test_solutions_without_scores_only_vote_where_none_has_any() -> None:
    session = world_session(World({"": "a! b! b!"}), {"a": 0.5, "b": 0.9})
    leaves = asyncio.run(session.complete(-1, 3))
    assert session.tree.steps(asyncio.run(answer(session, leaves, "best"))) == ["b"]
    asyncio.run(session.score(leaves[:1]))
    assert session.tree.steps(asyncio.run(answer(session, leaves, "best"))) == ["a"]
