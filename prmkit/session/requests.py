"""The requests of one problem: admitted by its budget, answered by the journal or an engine, counted in its ledger."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from prmkit.errors import InputError
from prmkit.generate import TooLong
from prmkit.generate.drawing import draw as draw_from
from prmkit.generate.speaker import Before
from prmkit.generate.written import Written
from prmkit.run.seeds import derived_seed
from prmkit.score.reading import score_readable, steps_read
from prmkit.session import replies
from prmkit.session.budget import Allowance, Exhausted, Grant
from prmkit.session.engines import Engines
from prmkit.session.growth import Growth, Origin
from prmkit.session.journal import request_key
from prmkit.session.ledger import Ledger
from prmkit.session.pool import Pool
from prmkit.tree import ROOT

TOO_LONG = -1.0
"""Stands for the score of a step beyond the PRM's context."""


@dataclass(frozen=True, slots=True)
class Draw(Origin):
    """An admitted request for continuations of a node."""

    whole: bool
    grant: Grant
    capped: bool
    context: Before


class Requests:
    """What a session asks of the engines.

    Args:
        engines: of the run.
        growth: the tree whose nodes requests start from.
        ledger: where replies are counted.
        allowance: what may be spent.
    """

    def __init__(self, engines: Engines, growth: Growth, ledger: Ledger, allowance: Allowance) -> None:
        self.allowance = allowance
        self.pool: Pool | None = None
        self.exhausted = False
        self._engines = engines
        self._growth = growth
        self._ledger = ledger
        self._problem = growth.tree.problem
        self._contexts: dict[int, Before] = {}
        self._full: set[int] = set()  # nodes of which the policy said that they fill its context
        self._readings: Counter[str] = Counter()

    async def draw_each(
        self, asks: Sequence[tuple[int, int]], *, whole: bool
    ) -> list[tuple[Draw, list[Written]] | None]:
        """The continuations of each (node, n); None where the node is full (see ``is_full``), or nothing was granted.

        Raises:
            Exhausted: the budget has no room for any.
            TooLong: the problem alone fills the policy's context.
            InputError: a node has ended already, or n is not positive.
        """
        open_asks = [self._checked(node, n) for node, n in asks]
        if not any(open_asks):
            return [None] * len(asks)
        draws = self._admit(asks, open_asks, whole=whole)
        while not any(draws):
            if self.pool is None or not await self.pool.more(self.allowance):
                raise Exhausted
            draws = self._admit(asks, open_asks, whole=whole)
        answers = await asyncio.gather(*(self._answer(draw) for draw in draws), return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        for failure in failures:
            if not isinstance(failure, Exhausted):
                raise failure
        if failures and not any(isinstance(answer, list) for answer in answers):
            raise Exhausted
        self.exhausted |= bool(failures)
        return [
            (draw, answer) if draw is not None and isinstance(answer, list) else None
            for draw, answer in zip(draws, answers, strict=True)
        ]

    async def read(self, nodes: Sequence[int]) -> list[float]:
        """The PRM's score of each node, TOO_LONG for one beyond its context.

        Raises:
            Exhausted: the budget has no room for the reading.
        """
        if self.allowance.limits_reading() and not self.allowance.may_read(self._tokens_to(nodes)):
            raise Exhausted
        names = [self._growth.name(node) for node in nodes]
        self._readings["\x1f".join(names)] += 1
        key = request_key(self._problem.id, "score", names, self._readings["\x1f".join(names)])
        reply = await self._recorded(key, lambda: self._judge(nodes))
        replies.charge_reading(self._ledger, reply)
        scores: list[float] = reply["s"]
        return scores

    def forget(self) -> None:
        """Let go of what only further requests need."""
        self._contexts.clear()

    def _checked(self, node: int, n: int) -> bool:
        """Whether the node may become longer."""
        if n < 1:
            raise InputError("nothing to draw", where=self._problem.id, got=n, expected="at least one sample")
        self._check_problem(self._engines.context)
        if node != ROOT and self._growth.tree.nodes[node].finish in ("eos", "length", "cancelled"):
            raise InputError("a step follows a solution that ended", got=self._growth.tree.nodes[node].finish)
        return not self.is_full(node)

    def is_full(self, node: int) -> bool:
        """Whether no token may follow a node: it is as long as a solution may be, or fills the policy's context."""
        return node in self._full or self._room(node) < 1

    def _check_problem(self, context: int | None) -> None:
        if context is not None and (tokens := self.context(ROOT).tokens) >= context:
            raise self._too_long(tokens, context)

    def _too_long(self, tokens: int | None, context: int | None) -> TooLong:
        self._ledger.too_long = 1
        return TooLong("the problem fills the policy's context", where=self._problem.id, tokens=tokens, context=context)

    def _admit(self, asks: Sequence[tuple[int, int]], open_asks: Sequence[bool], *, whole: bool) -> list[Draw | None]:
        draws: list[Draw | None] = []
        for (node, n), is_open in zip(asks, open_asks, strict=True):
            draw = self._admit_one(node, n, whole=whole) if is_open else None
            draws.append(draw)
            # Whole solutions that are not granted now are asked for again; a step is missed.
            self.exhausted |= is_open and not whole and (draw is None or draw.grant.n < n)
        return draws

    def _admit_one(self, node: int, n: int, *, whole: bool) -> Draw | None:
        context, room = self.context(node), self._room(node)
        grant = self.allowance.admit(n, self._growth.depth(node), context.tokens, room, whole=whole)
        if not grant.n:
            return None
        capped = grant.max_tokens < room
        kind = f"{'complete' if whole else 'expand'} {grant.n}{f' {grant.max_tokens}' if capped else ''}"
        ordinal = self._growth.ordinal(node)
        key = request_key(self._problem.id, kind, [self._growth.name(node)], ordinal)
        return Draw(node, key, ordinal, whole, grant, capped, context)

    async def _answer(self, draw: Draw | None) -> list[Written] | None:
        if draw is None:
            return None
        longest = 0
        try:
            reply = await self._recorded(draw.key, lambda: self._generate(draw))
            if replies.is_refusal(reply):
                self._note_full(draw.node, replies.context(reply))
                return None
            replies.charge_draw(self._ledger, reply)
            longest = replies.longest(reply)
        finally:
            self.allowance.settle(draw.grant, draw.context.tokens, longest, whole=draw.whole)
        return replies.written(reply)

    async def _generate(self, draw: Draw) -> replies.JournalReply:
        engines, start = self._engines, time.monotonic()
        try:
            drawing = await draw_from(
                engines.generator,
                engines.text,
                draw.context,
                draw.grant.n,
                sampling=engines.sampling.model_copy(update={"max_tokens": draw.grant.max_tokens}),
                seed=derived_seed(engines.seed, draw.key),
                whole=draw.whole,
            )
        except TooLong as refusal:  # of an engine that does not tell its context, or counts otherwise than we do
            return replies.of_refusal(refusal.context, elapsed=self.allowance.elapsed)
        engines.draws.add(drawn=drawing.cost.decode_tokens, read=drawing.cost.prefill_tokens)
        seconds, elapsed = time.monotonic() - start, self.allowance.elapsed
        return replies.of_draw(drawing, capped=draw.capped, seconds=seconds, elapsed=elapsed)

    def _note_full(self, node: int, context: int | None) -> None:
        """Note that the policy refused a node's prompt, which is the problem's own fault where that alone is too long.

        Raises:
            TooLong: it is.
        """
        if node == ROOT:
            raise self._too_long(None, context)
        self._check_problem(context)
        self._full.add(node)

    async def _judge(self, nodes: Sequence[int]) -> replies.JournalReply:
        scorer, start = self._engines.scorer, time.monotonic()
        assert scorer is not None
        readable, scores = await score_readable(scorer, self._growth.tree, nodes)
        self._engines.readings.add(read=scores.tokens)
        reply = replies.of_reading(scores, seconds=time.monotonic() - start, elapsed=self.allowance.elapsed)
        found = dict(zip(readable, reply["s"], strict=True))
        return reply | {"s": [found.get(node, TOO_LONG) for node in nodes]}

    async def _recorded(self, key: str, ask: Callable[[], Awaitable[replies.JournalReply]]) -> replies.JournalReply:
        """The reply in the journal, or the engine's, which is then recorded.

        Raises:
            Exhausted: the clock ended it.
        """
        reply = self._engines.journal.get(key)
        if reply is not None:
            self._ledger.replayed += 1
            self.allowance.resume(replies.elapsed(reply))
            return reply
        left = self.allowance.seconds_left
        if left <= 0:
            raise Exhausted
        try:
            async with asyncio.timeout(left if left < math.inf else None) as clock:
                reply = await ask()
        except TimeoutError:
            if clock.expired():
                raise Exhausted from None
            raise
        self._engines.journal.put(key, reply)
        return reply

    def context(self, node: int) -> Before:
        """All that stands before the steps that follow a node, as the policy reads it."""
        missing = []
        while node not in self._contexts and node != ROOT:
            missing.append(node)
            node = self._growth.tree.nodes[node].parent
        if node not in self._contexts:
            self._contexts[ROOT] = self._engines.text.begin(self._problem)
        for following in reversed(missing):
            step = self._growth.tree.nodes[following]
            self._contexts[following] = self._engines.text.after(
                self._contexts[step.parent], step, self._growth.tree.meta
            )
        return self._contexts[missing[0] if missing else node]

    def _room(self, node: int) -> int:
        """Tokens that a solution through ``node`` may still have, and that the policy's context has room for."""
        tokens, context = self._tokens(node), self._engines.context
        left = self._engines.sampling.max_tokens - (tokens - self.context(ROOT).tokens)
        return left if context is None else min(left, context - tokens)

    def _tokens(self, node: int) -> int:
        """Tokens of all that the policy reads up to a node; of a step that it just wrote, without reading it again."""
        if node != ROOT and node not in self._contexts and (ids := self._growth.drawn_ids(node)) is not None:
            return self.context(self._growth.tree.nodes[node].parent).tokens + len(ids)
        return self.context(node).tokens

    def _tokens_to(self, nodes: Sequence[int]) -> int:
        """Tokens of the paths to the last of these nodes, or of their windows, by the policy's tokenizer: the PRM reads
        no more.
        """
        scorer, tree = self._engines.scorer, self._growth.tree
        assert scorer is not None
        read = [steps for node in nodes if (steps := steps_read(scorer, tree, node))]
        inner = {(steps[0], steps[-2]) for steps in read if len(steps) > 1}
        return sum(
            self.context(ROOT).tokens + sum(map(self._own_tokens, steps))
            for steps in read
            if (steps[0], steps[-1]) not in inner
        )

    def _own_tokens(self, node: int) -> int:
        return self.context(node).tokens - self.context(self._growth.tree.nodes[node].parent).tokens
