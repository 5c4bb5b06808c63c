"""Engines that a benchmark can see into: one with a clock of its own, one that records, one that answers at once."""

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from prmkit.generate import Continuation, Generation, Sampling
from prmkit.generate.stop import StepStop
from prmkit.generate.text import Context
from prmkit.generate.written import WrittenStep
from prmkit.score import Scores
from prmkit.session import Engines
from prmkit.tree import Node, Problem, StepTree


def lengths(seed: object, n: int) -> list[int]:
    """Step lengths in tokens: Pareto with shape 1.5 (mean three times the least), at least 10, at most 2,000."""
    rng = random.Random(f"{seed}")
    return [min(2000, int(10 * rng.paretovariate(1.5))) for _ in range(n)]


class _Plain:
    """Text and judge of engines whose texts mean nothing: a step is a token."""

    meta: Mapping[str, str] = {"step_end": "\n", "tokenizer": "plain"}
    budgeted = False

    def begin(self, problem: Problem) -> Context:
        return Context(before=None, text="", ids=(0,), tokens=1)

    def after(self, context: Context, node: Node, meta: Mapping[str, str]) -> Context:
        return Context(before=context, text="", ids=(0,), tokens=context.tokens + 1)

    def stop(self, context: Context) -> None:
        return None

    def steps(self, context: Context, one: Continuation) -> tuple[list[WrittenStep], Context]:
        return [WrittenStep(text=self.spelled(token), ids=(token % 2**32,)) for token in one.ids], context

    def spelled(self, token: int) -> str:
        return str(token)

    def fits(self, tree: StepTree, node: int) -> bool:
        return True

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        values = [random.Random(tree.nodes[node].text).random() for node in nodes]
        return Scores(values=tuple(values), cached_tokens=0, tokens=len(nodes), flops=0.0)

    def answers(self, problem: Problem, solutions: Sequence[str]) -> list[str | None]:
        return ["1"] * len(solutions)

    def classes(self, problem: Problem, answers: Sequence[str | None]) -> list[int | None]:
        return [0] * len(answers)

    def correct(self, problem: Problem, answers: Sequence[str | None]) -> list[bool]:
        return [True] * len(answers)


class SlotEngine(_Plain):
    """Continuous batching in simulated time: ``slots`` rows, each takes a sample as soon as it is free.

    Time stands still while anyone has something to ask, and then jumps to the next end of a sample.
    """

    def __init__(self, slots: int, depth: int = 8) -> None:
        self.depth = depth
        self.requests = 0
        self._slots = slots
        self._now = 0.0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._running: list[tuple[float, int, asyncio.Future[None]]] = []
        self._busy: list[tuple[float, float]] = []
        self._driver: asyncio.Task[None] | None = None

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: StepStop | None = None
    ) -> Generation:
        await asyncio.gather(*(self._sample(length) for length in lengths(seed, n)))
        finish = "eos" if len(prompt_ids) >= self.depth else "stop"
        return Generation(
            continuations=tuple(Continuation(ids=((seed + index) % 10**9,), finish=finish) for index in range(n)),  # type: ignore[arg-type]
            cached_tokens=0,
            prefill_tokens=0,
            decode_tokens=n,
            flops=0.0,
        )

    async def levels(self, levels: Sequence[Sequence[int]]) -> None:
        """Lock-step: every sample of a level before the first of the next."""
        for level in levels:
            await asyncio.gather(*(self._sample(length) for length in level))

    def occupancy(self) -> float:
        """The share of busy rows until 95 % of the samples have ended."""
        ends = sorted(end for _, end in self._busy)
        until = ends[int(0.95 * len(ends))]
        return sum(min(end, until) - start for start, end in self._busy if start < until) / (self._slots * until)

    async def _sample(self, length: int) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((length, future))
        self.requests += 1
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        await future

    async def _drive(self) -> None:
        while self._queue or self._running:
            await self._settled()
            while self._queue and len(self._running) < self._slots:
                length, future = self._queue.popleft()
                heapq.heappush(self._running, (self._now + length, id(future), future))
                self._busy.append((self._now, self._now + length))
            self._now, _, ended = heapq.heappop(self._running)
            ended.set_result(None)

    async def _settled(self) -> None:
        """Until nobody has asked for a while; grading runs in a thread, so now and then real time must pass."""
        quiet = 0
        while quiet < 40:
            known = len(self._queue)
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._queue) == known else 0


class TextPolicy(_Plain):
    """Writes solutions of random words at once; a token is an index into the texts that it has written."""

    def __init__(self, *, steps: int, characters: int) -> None:
        self.written = 0
        self._steps, self._characters = steps, characters
        self._texts: dict[int, str] = {}
        self._rng = random.Random(0)

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: StepStop | None = None
    ) -> Generation:
        self._texts.clear()  # what was written before has been read
        ids = [[self._write() for _ in range(self._steps)] for _ in range(n)]
        return Generation(
            continuations=tuple(Continuation(ids=tuple(one), finish="eos") for one in ids),
            cached_tokens=1000,
            prefill_tokens=0,
            decode_tokens=n * 400,
            flops=123456789012.0,
        )

    def spelled(self, token: int) -> str:
        return self._texts[token]

    def _write(self) -> int:
        # Words of a few letters, and the backslashes of LaTeX, which JSON doubles.
        text = " ".join(f"\\frac{self._rng.randrange(10**5)}x" for _ in range(self._characters // 11))
        self.written += len(text)
        self._texts[len(self._texts)] = text
        return len(self._texts) - 1


class Recording:
    """Engines whose answers are kept."""

    def __init__(self, engines: Engines) -> None:
        self.inner = engines
        self.engines = replace(engines, generator=self, scorer=self)  # type: ignore[arg-type]
        self.draws: dict[int, Generation] = {}
        self.scores: dict[tuple[str, tuple[int, ...]], Scores] = {}

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: StepStop | None = None
    ) -> Generation:
        found = await self.inner.generator.generate(prompt_ids, n, sampling=sampling, seed=seed, stop=stop)
        self.draws[seed] = found
        return found

    def fits(self, tree: StepTree, node: int) -> bool:
        return True

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        found = await self.inner.scorer.score(tree, nodes)  # type: ignore[union-attr]
        self.scores[tree.problem.id, tuple(nodes)] = found
        return found


class Counting:
    """Engines that are asked what ``inner`` answers; counts the tokens behind which samples and scores stand."""

    def __init__(self, inner: Engines) -> None:
        self.inner = inner
        self.engines = replace(inner, generator=self, scorer=self)  # type: ignore[arg-type]
        self.before_samples = self.before_scores = 0

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: StepStop | None = None
    ) -> Generation:
        self.before_samples += n * len(prompt_ids)
        return await self.inner.generator.generate(prompt_ids, n, sampling=sampling, seed=seed, stop=stop)

    def fits(self, tree: StepTree, node: int) -> bool:
        return self.inner.scorer.fits(tree, node)  # type: ignore[union-attr]

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        encoder = self.inner.scorer.encoder  # type: ignore[union-attr]
        self.before_scores += sum(len(encoder.path_ids(tree.problem, tree.steps(node))[0]) for node in nodes)
        return await self.inner.scorer.score(tree, nodes)  # type: ignore[union-attr]


class Instant:
    """The recorded answers, at once."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.engines = replace(recording.inner, generator=self, scorer=self)  # type: ignore[arg-type]

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: StepStop | None = None
    ) -> Generation:
        return self._recording.draws[seed]

    def fits(self, tree: StepTree, node: int) -> bool:
        return True

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        return self._recording.scores[tree.problem.id, tuple(nodes)]
