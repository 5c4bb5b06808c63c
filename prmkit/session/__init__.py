"""The only door to the engines: what a search strategy or a label estimator does to one problem.

A strategy is a plain coroutine over a session. All problems run at once as tasks; batching their requests is the
engine's job.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from prmkit.errors import InputError
from prmkit.generate import Generation, Generator, Sampling
from prmkit.grade import Grader, grader_for
from prmkit.score import Scorer
from prmkit.score.aggregate import Aggregation, aggregate
from prmkit.session.journal import Journal, request_key, request_seed
from prmkit.session.ledger import Ledger
from prmkit.tree import ROOT, Domain, Finish, Problem, StepTree

if TYPE_CHECKING:  # recipes bind without the seconds that importing a tokenizer library takes
    from prmkit.models.encode import StepEncoder

Graded = TypeVar("Graded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """What the sessions of a run share. ``encoder`` speaks the generator's text format; the PRM has its own."""

    generator: Generator
    encoder: "StepEncoder"
    sampling: Sampling
    scorer: Scorer | None = None
    aggregation: Aggregation = "last"
    seed: int = 0
    journal: Journal = field(default_factory=Journal)
    grader_for: Callable[[Domain], Grader] = grader_for
    # One thread: grading must not block the event loop, and a grader keeps caches and worker processes.
    grading: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "grading"))

    async def grade(self, domain: Domain, judge: Callable[[Grader], Graded]) -> Graded:
        """What ``judge`` finds with the grader of a domain, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.grading, judge, self.grader_for(domain))


@dataclass(frozen=True, slots=True)
class _Written:
    """One sampled continuation as steps."""

    steps: tuple[str, ...]
    finish: Finish


class Session:
    """One problem under way: its tree, its requests, its ledger.

    Args:
        tree: the problem and the steps that exist already.
        engines: generator, scorer, grader and journal of the run.
    """

    def __init__(self, tree: StepTree, engines: Engines) -> None:
        self.tree = tree
        self.ledger = Ledger()
        self._engines = engines
        self._ordinals: Counter[tuple[str, tuple[str, ...]]] = Counter()

    async def complete(self, node: int, n: int) -> list[int]:
        """Let the policy finish the solution that begins with ``node``, ``n`` times; returns the n last steps.

        The new steps join the tree. Where the policy wrote nothing the last step is ``node`` itself.
        """
        written = await self._write(node, n)
        return [self._grow(node, one) for one in written]

    async def outcomes(self, node: int, n: int) -> list[bool]:
        """Whether each of ``n`` rollouts from ``node`` ends in a right answer. The tree does not change."""
        written = await self._write(node, n)
        before = self.tree.steps(node)
        solutions = ["\n".join([*before, *one.steps]) for one in written]
        verdicts = await self._right(solutions)
        return [right and one.finish == "eos" for right, one in zip(verdicts, written, strict=True)]

    async def score(self, nodes: Sequence[int]) -> list[float]:
        """The PRM's step scores of ``nodes``; they and all steps before them are scored once and kept in the tree."""
        scorer = self._engines.scorer
        if scorer is None:
            raise InputError(
                "the strategy asks for step scores, but the run has no PRM", cure="Give the recipe a scorer."
            )
        unscored = {step for node in nodes for step in self.tree.path(node) if self.tree.nodes[step].score is None}
        wanted = sorted(unscored)
        if wanted:
            key = self._key("score", [f"{node}:{self.tree.nodes[node].text}" for node in wanted])
            reply = self._engines.journal.get(key)
            if reply is None:
                start = time.monotonic()
                scores = await scorer.score(self.tree, wanted)
                reply = {
                    "scores": scores.values,
                    "cached_tokens": scores.cached_tokens,
                    "tokens": scores.tokens,
                    "flops": scores.flops,
                    "seconds": time.monotonic() - start,
                }
                self._engines.journal.put(key, reply)
            else:
                self.ledger.replayed += 1
            self.ledger.prm_calls += 1
            self.ledger.prm_cached_tokens += reply["cached_tokens"]
            self.ledger.prm_tokens += reply["tokens"]
            self.ledger.prm_flops += reply["flops"]
            self.ledger.prm_seconds += reply["seconds"]
            for node, score in zip(wanted, reply["scores"], strict=True):
                self.tree.set_score(node, score)
        return [self._step_score(node) for node in nodes]

    def solution_score(self, leaf: int) -> float:
        """The aggregated score of the solution that ends in ``leaf``. All its steps must have been scored."""
        return aggregate([self._step_score(node) for node in self.tree.path(leaf)], self._engines.aggregation)

    async def classes(self, leaves: Sequence[int]) -> list[int | None]:
        """Equal numbers for solutions with the same answer; None for those unfinished or without an answer."""
        finished = [leaf for leaf in leaves if self.tree.finished(leaf)]
        solutions = ["\n".join(self.tree.steps(leaf)) for leaf in finished]
        problem = self.tree.problem
        found = await self._engines.grade(
            problem.domain, lambda judge: judge.classes(problem, judge.answers(problem, solutions))
        )
        by_leaf = dict(zip(finished, found, strict=True))
        return [by_leaf.get(leaf) for leaf in leaves]

    async def correct(self, leaves: Sequence[int]) -> list[bool]:
        """Whether each solution is finished and right."""
        verdicts = await self._right(["\n".join(self.tree.steps(leaf)) for leaf in leaves])
        return [right and self.tree.finished(leaf) for right, leaf in zip(verdicts, leaves, strict=True)]

    def random(self, purpose: str) -> random.Random:
        """Random numbers fixed by (run seed, problem, purpose)."""
        return random.Random(request_seed(self._engines.seed, f"{self.tree.problem.id}:{purpose}"))

    def aside(self, tree: StepTree) -> "Session":
        """A session on another tree, with the same engines; what it costs is counted here."""
        other = Session(tree, self._engines)
        other.ledger = self.ledger
        return other

    async def ask(self, text: str, n: int = 1) -> list[str]:
        """``n`` answers of the generator to a text of the caller's own, in place of the problem's."""
        other = self.aside(StepTree(Problem(id=self._key(f"ask {n}", [text]), prompt=text)))
        return ["\n".join(other.tree.steps(leaf)) for leaf in await other.complete(ROOT, n)]

    def tokens(self, node: int) -> int:
        """Tokens of the problem and the steps up to ``node``, as the generator reads them."""
        return len(self._engines.encoder.path_ids(self.tree.problem, self.tree.steps(node))[0])

    async def _write(self, node: int, n: int) -> list[_Written]:
        steps = self.tree.steps(node)
        key = self._key(f"write {n}", steps)
        reply = self._engines.journal.get(key)
        if reply is None:
            reply = await self._generate(steps, n, request_seed(self._engines.seed, key))
            self._engines.journal.put(key, reply)
        else:
            self.ledger.replayed += 1
        self.ledger.generator_calls += 1
        self.ledger.generations += n
        self.ledger.cached_tokens += reply["cached_tokens"]
        self.ledger.prefill_tokens += reply["prefill_tokens"]
        self.ledger.decode_tokens += reply["decode_tokens"]
        self.ledger.generator_flops += reply["flops"]
        self.ledger.generator_seconds += reply["seconds"]
        return [_Written(tuple(one["steps"]), one["finish"]) for one in reply["written"]]

    async def _generate(self, steps: list[str], n: int, seed: int) -> dict[str, Any]:
        engines = self._engines
        prompt_ids, _ = engines.encoder.path_ids(self.tree.problem, steps)
        start = time.monotonic()
        generation: Generation = await engines.generator.generate(prompt_ids, n, sampling=engines.sampling, seed=seed)
        return {
            "written": [
                {"steps": engines.encoder.steps_of(one.ids), "finish": one.finish} for one in generation.continuations
            ],
            "cached_tokens": generation.cached_tokens,
            "prefill_tokens": generation.prefill_tokens,
            "decode_tokens": generation.decode_tokens,
            "flops": generation.flops,
            "seconds": time.monotonic() - start,
        }

    def _grow(self, node: int, written: _Written) -> int:
        for position, text in enumerate(written.steps, start=1):
            node = self.tree.add(node, text, finish=written.finish if position == len(written.steps) else "stop")
        return node

    async def _right(self, solutions: list[str]) -> list[bool]:
        problem = self.tree.problem
        return await self._engines.grade(
            problem.domain, lambda judge: judge.correct(problem, judge.answers(problem, solutions))
        )

    def _step_score(self, node: int) -> float:
        score = self.tree.nodes[node].score
        if score is None:
            raise InputError("a step was not scored", where=self.tree.problem.id, got=node, cure="Await session.score.")
        return score

    def _key(self, kind: str, steps: Sequence[str]) -> str:
        mark = (kind, tuple(steps))
        self._ordinals[mark] += 1
        return request_key(self.tree.problem.id, kind, steps, self._ordinals[mark])
