import asyncio
from collections import Counter

import pytest

from prmkit.errors import InputError
from prmkit.search.frontier import best_first, distinct, live, usable
from prmkit.session import Session
from prmkit.session.budget import BudgetConfig, Exhausted
from prmkit.tree import ROOT, Finish, Problem, StepTree
from tests.fakes import ScriptedGenerator, TableScorer, make_session
from tests.search.world import World, world_session


def drawn(steps: str, scores: dict[str, float]) -> tuple[Session, list[int], TableScorer]:
    """A session in which these first steps were drawn (see World), and its PRM."""
    session = world_session(World({"": steps}), scores)
    scorer = session._engines.scorer
    assert isinstance(scorer, TableScorer)
    return session, asyncio.run(session.expand(ROOT, len(steps.split()))), scorer


def texts(session: Session, nodes: list[int]) -> list[str]:
    return [session.tree.nodes[node].text for node in nodes]


@pytest.mark.parametrize(
    ("finish", "goes_on"), [("stop", True), ("eos", False), ("length", False), ("cancelled", False)]
)
def test_a_solution_goes_on_from_a_step_that_ended_at_its_end(finish: Finish, goes_on: bool) -> None:
    tree = StepTree(Problem(id="p", prompt="?"))
    node = tree.add(ROOT, "a", finish=finish)
    assert live(make_session(ScriptedGenerator(lambda prompt, sample: ("", "eos")), tree=tree), node) == goes_on


def test_steps_that_were_cut_are_neither_scored_nor_used() -> None:
    session, nodes, scorer = drawn("a b! c~", {"a": 0.5, "b": 0.4})
    assert texts(session, asyncio.run(usable(session, nodes, 0.0))) == ["a", "b"]
    assert scorer.asked == ["a", "b"]


@pytest.mark.parametrize(
    ("prune", "kept"),
    [(0.0, "abcd"), (0.3, "abcd"), (0.31, "abd"), (0.5, "ab"), (0.9, "a"), (1.0, "a")],
)
def test_low_steps_are_dropped_but_never_the_best_one(prune: float, kept: str) -> None:
    session, nodes, _ = drawn("a b! c d!", {"a": 0.8, "b": 0.5, "c": 0.3, "d": 0.4})
    assert "".join(texts(session, asyncio.run(usable(session, nodes, prune)))) == kept
    assert len(session.tree) == 4  # what was dropped stays in the tree


def test_steps_that_are_equally_good_stay_together() -> None:
    session, nodes, _ = drawn("a b c", {"a": 0.2, "b": 0.2, "c": 0.1})
    assert texts(session, asyncio.run(usable(session, nodes, 0.9))) == ["a", "b"]


def test_a_step_that_is_named_twice_comes_back_once() -> None:
    session, (a, b), scorer = drawn("a b", {"a": 0.8, "b": 0.5})
    assert asyncio.run(usable(session, [b, a, b, b], 0.0)) == [b, a]
    assert sorted(scorer.asked) == ["a", "b"]


def test_a_solution_that_the_prm_cannot_read_to_its_end_is_out() -> None:
    class Narrow(TableScorer):
        def fits(self, tree: StepTree, node: int) -> bool:
            return tree.nodes[node].text != "long"

        async def score(self, tree, nodes):  # type: ignore[no-untyped-def]
            if not all(self.fits(tree, node) for node in nodes):
                raise InputError("longer than the PRM's context")
            return await super().score(tree, nodes)

    tree = StepTree(Problem(id="p", prompt="?"))
    short, long = tree.add(ROOT, "short", finish="eos"), tree.add(ROOT, "long", finish="eos")
    session = make_session(
        ScriptedGenerator(lambda prompt, sample: ("", "eos")), scorer=Narrow({"short": 0.1}), tree=tree
    )
    assert asyncio.run(usable(session, [short, long], 0.0)) == [short]


def test_nothing_drawn_is_nothing_usable() -> None:
    session, _, scorer = drawn("a", {"a": 0.8})
    assert asyncio.run(usable(session, [], 0.5)) == []
    assert scorer.asked == []


def test_where_the_prm_may_read_no_more_the_budget_is_used_up() -> None:
    session = world_session(World({"": "a"}), {"a": 0.5}, budget=BudgetConfig(total_tokens=3))
    nodes = [session.tree.add(ROOT, "a", finish="stop")]
    with pytest.raises(Exhausted):
        asyncio.run(usable(session, nodes, 0.0))


def test_of_paths_of_the_same_texts_the_first_stands_for_all() -> None:
    tree = StepTree(Problem(id="p", prompt="?"))
    first, again, other = (tree.add(ROOT, text) for text in "aab")
    below_first, below_again, below_other = (tree.add(parent, "c") for parent in (first, again, other))
    session = make_session(ScriptedGenerator(lambda prompt, sample: ("", "eos")), tree=tree)
    assert sorted(distinct(session, [first, again, other])) == [first, other]
    assert distinct(session, [again, first]) == [again]
    # The same last step after another one is another path.
    assert sorted(distinct(session, [below_first, below_again, below_other])) == [below_first, below_other]


def test_the_best_come_first_and_equal_ones_in_an_order_fixed_by_seed_and_purpose_alone() -> None:
    def order(values: list[float], seed: int, purpose: str = "x") -> list[int]:
        session = world_session(World({}), {}, seed=seed)
        return best_first(session, [10, 11, 12, 13], values, purpose)

    assert order([0.1, 0.4, 0.2, 0.3], seed=0) == [11, 13, 12, 10]
    tied = Counter(tuple(order([0.5, 0.5, 0.9, 0.1], seed)) for seed in range(200))
    assert set(tied) == {(12, 10, 11, 13), (12, 11, 10, 13)}
    assert min(tied.values()) > 60  # binomial(200, 1/2): five standard deviations
    assert order([0.5] * 4, 3) == order([0.5] * 4, 3)
    assert len({tuple(order([0.5] * 4, 3, purpose)) for purpose in "abcdefgh"}) > 1
