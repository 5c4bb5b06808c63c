"""What every scorer must keep.

class TestMine(ScorerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls): return MyScorer(...)
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from prmkit.errors import InputError
from prmkit.score import Scorer, Scores
from prmkit.tree import ROOT, Problem, StepTree

Reply = TypeVar("Reply")

NODES = [3, 0, 4, 2, 1]
"""The steps of ``forked``, children and parents mixed."""


def forked(id: str = "p", prompt: str = "a b c") -> StepTree:
    """A first step with two children, one of which goes on, and a second first step."""
    tree = StepTree(Problem(id=id, prompt=prompt))
    first = tree.add(ROOT, "a b")
    left = tree.add(first, "c")
    tree.add(first, "b b b")
    tree.add(left, "a")
    tree.add(ROOT, "x y")
    return tree


class ScorerContract:
    """Subclass it with a fixture ``engine``; its PRM must know the words of ``forked``, or read them as unknown."""

    tolerance = 1e-5
    """How far two scores of one step may lie apart."""

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Scorer:
        """The engine under test; it may serve all tests of the class."""
        raise NotImplementedError

    def run(self, work: Coroutine[Any, Any, Reply]) -> Reply:
        """Run a coroutine; an engine that is bound to one event loop runs it there."""
        return asyncio.run(work)

    def reference(self, engine: Scorer, tree: StepTree, node: int) -> float:
        """A step's score by another way, such as a plain forward pass of its whole path. Default: asked alone."""
        return self.run(engine.score(tree, [node])).values[0]

    def check(self, engine: Scorer, tree: StepTree, scores: Scores, nodes: list[int]) -> None:
        expected = [self.reference(engine, tree, node) for node in nodes]
        assert scores.values == pytest.approx(expected, abs=self.tolerance)

    def test_scores_are_probabilities_in_the_order_asked(self, engine: Scorer) -> None:
        tree = forked("order")
        scores = self.run(engine.score(tree, NODES))
        assert all(0.0 <= score <= 1.0 for score in scores.values)
        self.check(engine, tree, scores, NODES)

    def test_a_step_asked_twice_has_one_score(self, engine: Scorer) -> None:
        first, second = self.run(engine.score(forked("twice"), [2, 2])).values
        assert first == second

    def test_no_step_no_score(self, engine: Scorer) -> None:
        assert self.run(engine.score(forked("none"), [])).values == ()

    def test_what_follows_a_step_does_not_change_its_score(self, engine: Scorer) -> None:
        tree = forked("grows")
        before = self.run(engine.score(tree, NODES)).values
        tree.add(2, "c c")
        tree.add(4, "a")
        after = self.run(engine.score(tree, [*NODES, 5, 6]))
        assert after.values[: len(NODES)] == pytest.approx(before, abs=self.tolerance)
        self.check(engine, tree, after, [*NODES, 5, 6])

    def test_problems_scored_together_score_as_alone(self, engine: Scorer) -> None:
        trees = [forked(f"p{index}", "a " * index + "b") for index in range(6)]

        async def together() -> list[Scores]:
            return await asyncio.gather(*(engine.score(tree, NODES) for tree in trees))

        for tree, scores in zip(trees, self.run(together()), strict=True):
            self.check(engine, tree, scores, NODES)

    def test_a_path_longer_than_the_context_is_refused_and_harms_no_other(self, engine: Scorer) -> None:
        long = StepTree.from_steps(Problem(id="long", prompt="a"), ["b " * 200_000])
        short = forked("short")
        assert engine.fits(short, 3)
        assert not engine.fits(long, 0)

        async def both() -> list[Scores | BaseException]:
            return await asyncio.gather(engine.score(long, [0]), engine.score(short, NODES), return_exceptions=True)

        refused, answered = self.run(both())
        assert isinstance(refused, InputError)
        assert "longer than the PRM's context" in str(refused)
        assert isinstance(answered, Scores)
        self.check(engine, short, answered, NODES)

    def test_tokens_are_counted(self, engine: Scorer) -> None:
        tree = forked("counted")
        first, again = (self.run(engine.score(tree, NODES)) for _ in range(2))
        # What is read again may come from a cache, and then costs less.
        assert 0 <= again.tokens <= first.tokens
        assert not again.flops > first.flops  # NaN where the engine cannot know

    def test_a_cancelled_request_harms_no_other(self, engine: Scorer) -> None:
        tree = forked("kept")

        async def drop_one() -> Scores:
            dropped = asyncio.ensure_future(engine.score(forked("dropped", "c c"), NODES))
            kept = asyncio.ensure_future(engine.score(tree, NODES))
            await asyncio.sleep(0)
            dropped.cancel()
            with contextlib.suppress(asyncio.CancelledError):  # an engine that answers at once has answered
                await dropped
            return await kept

        self.check(engine, tree, self.run(drop_one()), NODES)
