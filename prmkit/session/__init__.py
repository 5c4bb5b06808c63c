"""The only door to the engines: what a search strategy or a label estimator does to one problem.

A strategy is a plain coroutine over a session. All problems run at once as tasks; batching their requests is the
engine's job.
"""

import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prmkit.errors import InputError
from prmkit.generate.written import Written
from prmkit.run.seeds import derived_seed
from prmkit.score.aggregate import Aggregation, aggregate, neutral
from prmkit.session.budget import Allowance, BudgetConfig, Exhausted, costs
from prmkit.session.engines import Engines
from prmkit.session.growth import Growth, IndependentUnit
from prmkit.session.ledger import Ledger
from prmkit.session.pool import Pool
from prmkit.session.requests import TOO_LONG, Draw, Requests
from prmkit.tree import ROOT, Reads, StepTree

__all__ = ["Checkpoint", "Engines", "Session"]

_UNLIMITED = BudgetConfig()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A moment at which a strategy could have answered: what was spent, and the solutions that came since the last."""

    leaves: tuple[int, ...]
    costs: dict[str, Any]


class Session:
    """One problem under way: its tree, its requests, its ledger, its budget.

    ``independent`` is set by a strategy whose first samples, or first requests, are runs of their own that could have
    been fewer: such a run tells the accuracy at smaller budgets too.

    A strategy draws in ``until_exhausted`` and answers after it. ``sampling.max_tokens`` bounds a whole solution, also
    one that is drawn step by step.

    Args:
        tree: the problem and the steps that exist already.
        engines: generator, scorer, grader and journal of the run.
        budget: what may be spent; by default without a limit.
        problems: how many problems the run has.

    Raises:
        InputError: the tree has scores of a PRM that reads other steps.
    """

    def __init__(
        self, tree: StepTree, engines: Engines, budget: BudgetConfig = _UNLIMITED, *, problems: int = 1
    ) -> None:
        self.tree = tree
        self.ledger = Ledger()
        self.allowance = Allowance(budget, self.ledger, problems=problems, judged=engines.scorer is not None)
        self.checkpoints: list[Checkpoint] = []
        self.independent: IndependentUnit | None = None
        self._engines = engines
        self._growth = Growth(tree, engines.text.meta)
        self._requests = Requests(engines, self._growth, self.ledger, self.allowance)
        self._too_long: set[int] = set()
        if engines.scorer is not None:
            _note_reads(tree, engines.reads)

    @property
    def has_prm(self) -> bool:
        """Whether the run can score steps."""
        return self._engines.scorer is not None

    async def expand(self, node: int, n: int) -> list[int]:
        """Draw ``n`` next steps of ``node``; see expand_each."""
        return (await self.expand_each([(node, n)]))[0]

    async def expand_each(self, asks: Sequence[tuple[int, int]]) -> list[list[int]]:
        """Draw n next steps of each (node, n), all at once; returns the new steps of each.

        Fewer come back where the budget has room for fewer or the policy wrote an empty step, and none where the
        solution is as long as it may be. Where the policy ended the solution the step that comes back is finished; it
        may come back several times. A step after which no token fits (``sampling.max_tokens``, the policy's context)
        has the finish ``length``, as a whole solution has that is cut there.

        Raises:
            Exhausted: the budget has no room for any.
            TooLong: the problem alone fills the policy's context.
            InputError: a node has ended already.
        """
        drawn = await self._requests.draw_each(asks, whole=False)
        steps = _each(self._growth.expand, drawn)
        self._cut_full([*(node for node, _ in asks), *(step for each in steps for step in each)])
        return steps

    async def complete(self, node: int, n: int) -> list[int]:
        """Let the policy finish the solution that begins with ``node``, up to ``n`` times; see complete_each."""
        return (await self.complete_each([(node, n)]))[0]

    async def complete_each(self, asks: Sequence[tuple[int, int]]) -> list[list[int]]:
        """Let the policy finish the solution of each (node, n), up to n times, all at once; returns the last steps.

        Without a limit on tokens, FLOPs or seconds all n come. With one they come in portions, at least one: ask again
        for the rest. Where the policy wrote nothing the last step is ``node`` itself; and so it is, unfinished, where
        no token fits behind it.

        Raises:
            Exhausted: the budget has no room for any.
            TooLong: the problem alone fills the policy's context.
            InputError: a node has ended already.
        """
        drawn = await self._requests.draw_each(asks, whole=True)
        self._cut_full([node for node, _ in asks])
        leaves = _each(self._growth.complete, drawn)
        return [
            [node] * n if one is None and self._requests.is_full(node) else found
            for (node, n), one, found in zip(asks, drawn, leaves, strict=True)
        ]

    async def solutions(self, n: int) -> AsyncIterator[list[int]]:
        """Draw ``n`` solutions of the problem, in as many portions as the budget makes of them.

        Raises:
            Exhausted: the budget has no room for the next.
        """
        while n > 0:
            leaves = await self.complete(ROOT, n)
            n -= len(leaves)
            yield leaves

    async def outcomes(self, node: int, n: int) -> list[bool]:
        """Whether each of ``n`` rollouts from ``node`` ends in a right answer. The tree does not change.

        Where no token fits behind ``node``, none does.

        Raises:
            TooLong: the problem alone fills the policy's context.
        """
        rollouts: list[Written] = []
        while len(rollouts) < n:
            drawn = (await self._requests.draw_each([(node, n - len(rollouts))], whole=True))[0]
            if drawn is None:
                return [False] * n
            rollouts += drawn[1]
        before = self.tree.answer(node)
        verdicts = await self._right(["\n".join([*before, *one.answer]) for one in rollouts])
        return [right and one.finish == "eos" for right, one in zip(verdicts, rollouts, strict=True)]

    async def score(self, nodes: Sequence[int]) -> list[float]:
        """The PRM's step scores of ``nodes``; they and all steps before them are scored once and kept in the tree.

        For a step that the PRM does not read (see ``StepTree.reads``) it is the score of the last step before it that
        it reads, and none is kept. Where there is none it is 1, since nothing speaks against the solution yet; and 0
        if the solution is finished. A step that the PRM cannot read scores 0 and its solution is not finished, since
        nothing can judge it.

        Raises:
            Exhausted: the budget has no room for the reading.
            InputError: the run has no PRM.
        """
        if self._engines.scorer is None:
            raise InputError(
                "the strategy asks for step scores, but the run has no PRM", cure="Give the recipe a scorer."
            )
        read = (step for node in nodes for step in self.tree.read_path(node))
        unscored = {step for step in read if self.tree.nodes[step].score is None}
        if wanted := sorted(unscored):
            for node, score in zip(wanted, await self._requests.read(wanted), strict=True):
                self.tree.set_score(node, max(score, 0.0))
                if score == TOO_LONG:
                    self._too_long.add(node)
        if self._too_long:
            self._unfinish(nodes)
        return [self._score_at(node) for node in nodes]

    def beside(self, tree: StepTree) -> "Session":
        """A session of the same engines on another tree, without a limit; its ledger is its own."""
        return Session(tree, self._engines)

    def tokens(self, node: int) -> int:
        """Tokens of the problem and the steps up to ``node``, as the policy reads them."""
        return self._requests.context(node).tokens

    def solution_score(self, leaf: int, how: Aggregation | None = None) -> float:
        """The aggregated score of the path to ``leaf``, by the run's aggregation unless told otherwise.

        Steps that the PRM does not read have no part in it. Where it reads none, an unfinished solution has the neutral
        score (see ``neutral``), and a finished one 0, the least there is.

        Raises:
            InputError: a step was not scored.
        """
        how, path = how or self._engines.aggregation, self.tree.read_path(leaf)
        if not path and leaf != ROOT:
            return 0.0 if self.tree.finished(leaf) else neutral(how)
        return aggregate([self._step_score(node) for node in path], how)

    def scored(self, leaf: int) -> bool:
        """Whether every step to ``leaf`` that the PRM reads has its score, and there is one."""
        path = self.tree.read_path(leaf)
        return bool(path) and all(self.tree.nodes[node].score is not None for node in path)

    async def classes(self, leaves: Sequence[int]) -> list[int | None]:
        """Equal numbers for solutions with the same answer; None for those unfinished or without an answer."""
        finished = [leaf for leaf in leaves if self.tree.finished(leaf)]
        solutions = [self.tree.solution(leaf) for leaf in finished]
        problem = self.tree.problem
        found = await self._engines.grade(
            problem.domain, lambda judge: judge.classes(problem, judge.answers(problem, solutions))
        )
        by_leaf = dict(zip(finished, found, strict=True))
        return [by_leaf.get(leaf) for leaf in leaves]

    async def correct(self, leaves: Sequence[int]) -> list[bool]:
        """Whether each solution is finished and right."""
        verdicts = await self._right([self.tree.solution(leaf) for leaf in leaves])
        return [right and self.tree.finished(leaf) for right, leaf in zip(verdicts, leaves, strict=True)]

    def finished(self) -> list[int]:
        """The last steps of all solutions that came to their end, oldest first."""
        return [node for node in range(len(self.tree)) if self.tree.finished(node)]

    def random(self, purpose: str) -> random.Random:
        """Random numbers fixed by (run seed, problem, purpose)."""
        return random.Random(derived_seed(self._engines.seed, f"{self.tree.problem.id}:{purpose}"))

    def checkpoint(self, leaves: Iterable[int]) -> None:
        """Note that the strategy could answer now, with ``leaves`` beside those of earlier checkpoints.

        Nothing is noted where nothing was found and nothing spent, as when MCTS walks a tree that it knows to its end.
        """
        now = Checkpoint(tuple(leaves), costs(self.ledger, self.allowance.elapsed))
        last = self.checkpoints[-1].costs if self.checkpoints else {}
        if now.leaves or {**last, "seconds": 0} != {**now.costs, "seconds": 0}:
            self.checkpoints.append(now)

    @contextmanager
    def until_exhausted(self) -> Iterator[None]:
        """End the block, not the strategy, when the budget is used up; ``exhausted`` then says so."""
        try:
            yield
        except Exhausted:
            self.note_exhausted()

    def note_exhausted(self) -> None:
        """Mark the answer as the best so far."""
        self._requests.exhausted = True

    @property
    def exhausted(self) -> bool:
        """Whether the budget refused something: the answer is then the best so far."""
        return self._requests.exhausted

    def share(self, pool: Pool) -> None:
        """Take part in a budget that the run shares."""
        self._requests.pool = pool

    def end(self) -> tuple[StepTree, dict[int, int]]:
        """The tree in an order that no timing changes, and the new index of each node. No request follows."""
        self._requests.forget()
        return self._growth.in_order()

    def parts(self) -> list[list[int]]:
        """The finished solutions of each independent part; none where the parts are not independent."""
        return [] if self.independent is None else self._growth.parts(self.independent)

    async def _right(self, solutions: list[str]) -> list[bool]:
        problem = self.tree.problem
        return await self._engines.grade(
            problem.domain, lambda judge: judge.correct(problem, judge.answers(problem, solutions))
        )

    def _cut_full(self, nodes: Iterable[int]) -> None:
        """Say of the open ends among ``nodes`` behind which no token fits that they were cut."""
        for node in nodes:
            is_open = node != ROOT and self.tree.nodes[node].finish == "stop" and self._growth.is_leaf(node)
            if is_open and self._requests.is_full(node):
                self.tree.set_finish(node, "length")

    def _unfinish(self, nodes: Sequence[int]) -> None:
        """Take the end from the solutions among ``nodes`` that the PRM cannot read to their end."""
        for node in nodes:
            if self._too_long.intersection(self.tree.read_path(node)) and self._growth.is_leaf(node):
                self.tree.set_finish(node, "length")

    def _score_at(self, node: int) -> float:
        """The score of the step, or what stands for it where the PRM does not read it."""
        if self.tree.is_read(node):
            return self._step_score(node)
        path = self.tree.read_path(node)
        if not path:
            return 0.0 if self.tree.finished(node) else 1.0
        return self._step_score(path[-1])

    def _step_score(self, node: int) -> float:
        score = self.tree.nodes[node].score
        if score is None:
            raise InputError("a step was not scored", where=self.tree.problem.id, got=node, cure="Await session.score.")
        return score


def _each(
    grow: Callable[[Draw, list[Written]], list[int]], drawn: Sequence[tuple[Draw, list[Written]] | None]
) -> list[list[int]]:
    """What ``grow`` adds for each reply. A node may be asked twice: what follows it comes before what ends it there."""
    found: list[list[int]] = [[] for _ in drawn]
    told = [(place, one) for place, one in enumerate(drawn) if one is not None]
    for place, one in sorted(told, key=lambda each: not any(written.steps for written in each[1][1])):
        found[place] = grow(*one)
    return found


def _note_reads(tree: StepTree, reads: Reads) -> None:
    if tree.reads != reads and any(node.score is not None for node in tree):
        raise InputError(
            "the steps have scores of a PRM that reads others",
            where=tree.problem.id,
            got=tree.reads,
            expected=reads,
            cure="Set scorer.reads to the same, or take the scores out.",
        )
    tree.note_reads(reads)
