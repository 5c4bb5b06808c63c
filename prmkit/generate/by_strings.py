"""Steps from an engine that knows stop strings alone: it stops where a step may end, and goes on where none does."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar, cast

from prmkit.generate import Continuation, Sampling, TooLong
from prmkit.generate.stop import StepStop
from prmkit.generate.stops import before_mark, first_end
from prmkit.run.seeds import derived_seed
from prmkit.tree import Finish


class Portion(Protocol):
    """What an engine answers."""

    @property
    def continuation(self) -> Continuation:
        """The text up to a stop string (``stop``), the end of the sequence, or the limit."""
        ...


class Texts(Protocol):
    """Knows what tokens say, as TokenTexts does."""

    def of(self, before: Sequence[int], ids: Sequence[int]) -> Sequence[str]:
        """The text that each of ``ids`` adds behind ``before``."""
        ...


class Spells(Texts, Protocol):
    """Knows also which tokens a text has."""

    def spelled(self, text: str) -> Sequence[int]:
        """The tokens of a text."""
        ...


OPENAI_STOPS = 4
"""Stop strings that a server of OpenAI's protocol takes, vLLM's too."""

_CHUNK = 16
"""Tokens of a portion where there are more strings than the engine takes. What lies behind the step's end is lost."""

_Portion = TypeVar("_Portion", bound=Portion)

Ask = Callable[[Sequence[int], Sampling, int, tuple[str, ...]], Awaitable[_Portion]]
"""Asks the engine: prompt, sampling, seed, stop strings."""


async def up_to_step(
    ask: Ask[_Portion],
    texts: Texts,
    prompt_ids: Sequence[int],
    *,
    sampling: Sampling,
    seed: int,
    stop: StepStop | None,
    room: int | None = None,
    most: int | None = None,
    marks: tuple[str, ...] = (),
) -> tuple[Continuation, list[_Portion]]:
    """One continuation up to the end of its first step (without ``stop``: to its own), and the portions that it took.

    Args:
        ask: the engine.
        texts: what its tokens say.
        prompt_ids: the prompt.
        sampling: of the whole continuation.
        seed: of the first portion; further ones have others.
        stop: what ends a step.
        room: tokens behind the prompt that the context has; None where only the server knows.
        most: stop strings that the engine takes. Where there are more, the text comes in portions of a few tokens,
            and what is behind the end of the step is thrown away.
        marks: texts that end the sequence, which the continuation is without; for them ``texts`` must spell too.

    Raises:
        TooLong: the prompt leaves no room in the context.
    """
    strings = marks if stop is None else (*stop.strings, *marks)
    in_chunks = most is not None and len(strings) > most
    portions: list[_Portion] = []
    drawn: list[int] = []
    tokens = None if stop is None else stop.tokens
    limit = min(each for each in (sampling.max_tokens, tokens, room) if each is not None)
    while True:
        try:
            part = await ask(
                [*prompt_ids, *drawn],
                sampling.model_copy(update={"max_tokens": min(limit - len(drawn), _CHUNK if in_chunks else limit)}),
                derived_seed(seed, len(portions)) if portions else seed,
                () if in_chunks else strings,
            )
        except TooLong:
            if not portions:
                raise
            return Continuation(ids=tuple(drawn), finish="length"), portions
        portions.append(part)
        known = len(drawn)
        drawn += part.continuation.ids
        said = texts.of(prompt_ids, drawn) if strings else ()
        kept = before_mark(said, drawn, marks, cast(Spells, texts).spelled) if marks else None
        end = first_end(said, stop, range(known + 1, len(drawn) + 1)) if in_chunks and stop is not None else None
        if kept is not None and (end is None or len(kept) < end):
            return Continuation(ids=kept, finish="eos"), portions
        if end is not None:
            return Continuation(ids=tuple(drawn[:end]), finish="stop"), portions
        finish = _reason(part.continuation.finish, said, stop, in_chunks=in_chunks)
        if finish is None and len(drawn) < limit:
            continue
        if finish in (None, "length"):
            finish = "stop" if len(drawn) == tokens else "length"
        return Continuation(ids=tuple(drawn), finish=finish or "length"), portions


def _reason(finish: Finish, said: Sequence[str], stop: StepStop | None, *, in_chunks: bool) -> Finish | None:
    """Why what was written ended; None where only a portion did: a chunk, or a text in which no step ends yet."""
    if finish == "stop" and stop is None:  # at a mark, by an engine that spells otherwise than we do
        return "eos"
    if in_chunks:
        return None if finish == "length" else finish
    return None if finish == "stop" and stop is not None and not stop.ends("".join(said)) else finish
