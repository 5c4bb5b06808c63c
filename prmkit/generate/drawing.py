"""Draws steps and whole solutions from a policy, and keeps the length of its thoughts within their budget."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from prmkit.generate import Continuation, Generation, Generator, Sampling, TooLong, together
from prmkit.generate.speaker import Before, Speaker
from prmkit.generate.stop import StepStop
from prmkit.generate.thoughts import Closing
from prmkit.generate.written import Written
from prmkit.run.seeds import derived_seed
from prmkit.tree import Finish

if TYPE_CHECKING:  # recipes bind without the seconds that importing a tokenizer library takes
    from prmkit.generate.text import Context, PolicyText


@dataclass(frozen=True, slots=True)
class Drawing:
    """The continuations of a request, what they cost, and the tokens of the longest one."""

    written: tuple[Written, ...]
    cost: Generation
    longest: int


async def draw(
    generator: Generator, text: Speaker, context: Before, n: int, *, sampling: Sampling, seed: int, whole: bool
) -> Drawing:
    """``n`` continuations of a context: to the end of the solution, or to the end of its next step.

    A solution that ended within a thought came to no answer, and counts as cut by a length limit.

    Source of the budget: s1, arXiv 2501.19393, section 3.1: a thought that is too long is closed by force; in place of
    a closing that comes too early the policy reads "Wait" and goes on.
    """
    if text.budgeted:
        ids = cast("tuple[PolicyText, Context]", (text, context))
        cost = await _within_budget(generator, *ids, n, sampling, seed, whole=whole)
    else:
        stop = None if whole else text.stop(context)
        cost = await generator.generate(context.prompt, n, sampling=sampling, seed=seed, stop=stop)
    longest = max(one.tokens + (one.finish == "eos") for one in cost.continuations)
    return Drawing(tuple(_read(text, context, one) for one in cost.continuations), cost, longest)


def _read(text: Speaker, context: Before, one: Continuation) -> Written:
    steps, behind = text.steps(context, one)
    return Written(tuple(steps), "length" if one.finish == "eos" and behind.thinking else one.finish)


async def _within_budget(
    generator: Generator,
    text: "PolicyText",
    context: "Context",
    n: int,
    sampling: Sampling,
    seed: int,
    *,
    whole: bool,
) -> Generation:
    """Every sample is a request of its own from where it first met the budget."""

    samples = [
        _Sample(generator, text, context, sampling, derived_seed(seed, sample), whole=whole) for sample in range(n)
    ]
    continuations = await together(sample.draw() for sample in samples)
    every = [generation for sample in samples for generation in sample.costs]
    return Generation(
        continuations=tuple(continuations),
        cached_tokens=sum(each.cached_tokens for each in every),
        prefill_tokens=sum(each.prefill_tokens for each in every),
        decode_tokens=sum(each.decode_tokens for each in every),
        flops=sum(each.flops for each in every),
    )


class _Sample:
    """One continuation, drawn in portions that end where its thought has to be closed or extended.

    ``costs`` are those of the portions.
    """

    def __init__(
        self,
        generator: Generator,
        text: "PolicyText",
        context: "Context",
        sampling: Sampling,
        seed: int,
        *,
        whole: bool,
    ) -> None:
        self._generator, self._text, self._context = generator, text, context
        self._sampling, self._seed, self._whole = sampling, seed, whole
        self._longest = text.format.thoughts.max_tokens or sampling.max_tokens
        self._shortest = text.format.thoughts.min_tokens
        self._ids: list[int] = []
        self.costs: list[Generation] = []

    async def draw(self) -> Continuation:
        """The whole of it."""
        finish = await self._draw()
        return Continuation(ids=tuple(self._ids), finish=finish)

    async def _draw(self) -> Finish:
        while True:
            thinking, thought = self._text.thought_behind(self._context, self._ids)
            closing = self._text.closing() if thinking and thought >= self._longest else []
            room = self._sampling.max_tokens - len(self._ids) - len(closing)
            if room < 1:
                return "length"
            self._ids += closing
            # A policy that opens its thought itself does so with its first tokens.
            may_think = (thinking and not closing) or not (self._ids or self._context.before)
            limit = min(room, self._longest - thought) if may_think else room
            try:
                finish = await self._portion(limit, may_think=may_think)
            except TooLong:
                if not self.costs:
                    raise
                del self._ids[len(self._ids) - len(closing) :]
                return "length"
            thinking, _ = self._text.thought_behind(self._context, self._ids)
            if may_think and self._extended(finish, thinking=thinking):
                if not self._whole:
                    return "stop"
            elif finish == "length" and limit < room:
                if thinking and not self._whole:
                    return "stop"
            elif finish != "stop" or not self._whole:
                return finish

    async def _portion(self, tokens: int, *, may_think: bool) -> Finish:
        """Draw on: a step to its end, a solution to the end of its thought or to its own."""
        stop: StepStop | None = self._text.stop(self._context, self._ids)
        if stop is not None and self._whole:
            stop = StepStop(Closing(self._text.tags.close), stop.carried) if may_think else None
        generation = await self._generator.generate(
            [*self._context.prompt, *self._ids],
            1,
            sampling=self._sampling.model_copy(update={"max_tokens": tokens}),
            seed=self._seed,
            stop=stop,
            drawn=len(self._ids),
        )
        self.costs.append(generation)
        self._ids += generation.continuations[0].ids
        return generation.continuations[0].finish

    def _extended(self, finish: Finish, *, thinking: bool) -> bool:
        """Take back a closing, or the end of the solution, that came too early, and let the policy read on."""
        closed = self._text.closed_at(self._context, self._ids)
        end = closed if closed is not None else len(self._ids) if finish == "eos" and thinking else None
        if end is None or self._context.thought + end >= self._shortest:
            return False
        self._ids[end:] = self._text.extension(self._context, self._ids[:end])
        return True
