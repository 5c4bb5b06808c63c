from prmkit.search.dvts import dvts
from tests.search.world import World, run, world_session

# Two subtrees of width 2, which draw a, b and a, b. Both go on from b (.8): c! .3 and d .6; then from d: e! .7, f! .9.
STEPS = {"": "a b", "b": "c! d", "b d": "e! f!"}
SCORES = {"a": 0.2, "b": 0.8, "c": 0.3, "d": 0.6, "e": 0.7, "f": 0.9}


def test_each_subtree_is_a_greedy_search_of_its_own() -> None:
    world = World(STEPS)
    session = world_session(world, SCORES)
    assert run(session, lambda session: dvts(session, n=4, width=2)) == "b d f"
    assert world.asked == [(path, 2, "step") for path in ("", "", "b", "b", "b d", "b d")]
    assert session.ledger.generations == 4
    # Nodes: a b a b, c d c d, e f e f. The solutions of the subtrees end in c, e, f.
    assert session.parts() == [[4, 8, 9], [6, 10, 11]]


def test_a_sibling_that_ended_is_an_answer_too() -> None:
    scores = SCORES | {"c": 0.5, "e": 0.1, "f": 0.1}
    assert run(world_session(World(STEPS), scores), lambda session: dvts(session, n=2, width=2)) == "b c"


def test_a_subtree_without_a_usable_candidate_ends_alone() -> None:
    # Both subtrees draw a, which is cut, and b; b alone goes on.
    world = World({"": "a~ b", "b": "c! c!"})
    assert run(world_session(world, SCORES), lambda session: dvts(session, n=4, width=2)) == "b c"
    world = World({"": "a~ a~"})
    assert run(world_session(world, SCORES), lambda session: dvts(session, n=4, width=2)) is None
