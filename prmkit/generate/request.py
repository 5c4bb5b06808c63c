"""A request of a generator under way, and what it costs."""

from collections.abc import Iterator
from dataclasses import dataclass

from prmkit.generate import Continuation, Generation, Sampling
from prmkit.generate.engine_thread import Ticket
from prmkit.generate.lanes import SampleRow
from prmkit.generate.stop import StepStop
from prmkit.generate.stops import StepEnds
from prmkit.kv.tree import shared_length
from prmkit.models.flops import ForwardFlops
from prmkit.tree import Finish


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """What a caller asks for."""

    prompt_ids: tuple[int, ...]
    n: int
    sampling: Sampling
    seed: int
    stop: StepStop | None
    drawn: int = 0


class ActiveRequest:
    """What was asked, its rows, and what they cost.

    A token that its rows share is paid once. One that it shares with other requests in flight is paid by each, so that
    the price does not depend on who happened to be there.

    Args:
        ticket: who asked for what.
        context: tokens that the model can read.
    """

    def __init__(self, ticket: Ticket[PromptRequest, Generation], context: int) -> None:
        self.ticket = ticket
        self.asked = ticket.request
        self.limit = min(self.asked.sampling.max_tokens, context - len(self.asked.prompt_ids))
        self.rows = [SampleRow(self, sample) for sample in range(self.asked.n)]
        # A lane computes the prompt's last token; what lies before may be in the cache.
        self.spans = [(len(self.asked.prompt_ids) - 1, 1)]
        self.cached = 0
        self.second_looks: list[int] = []

    @property
    def over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.ticket.answered or self.ticket.dropped

    @property
    def longest(self) -> int:
        """Tokens that a row may grow to, prompt included."""
        return len(self.asked.prompt_ids) + self.limit

    @property
    def prefilled(self) -> int:
        """Tokens computed that were not drawn for it just before."""
        return sum(tokens for _, tokens in self.spans)

    def finish(self, drawn: tuple[int, ...], ends: StepEnds) -> Finish | None:
        """Why a row ends with these tokens, if it does."""
        stop = self.asked.stop
        if stop is not None and ends.reached(self.asked.prompt_ids, drawn, stop):
            return "stop"
        return "length" if len(drawn) >= self.limit else None

    def answer_if_done(self, flops: ForwardFlops) -> None:
        """Answer once every row has ended."""
        if any(row.finish is None for row in self.rows):
            return
        cost = flops.of(0, read=1) + sum(flops.of(tokens, before=before) for before, tokens in self.spans)
        # Every drawn token that was computed is read by the LM head, as the prompt's last is.
        cost += sum(flops.of(tokens, before=before, read=tokens) for before, tokens in self._drawn_spans())
        cost += sum(flops.of(tokens, read=1) for tokens in self.second_looks)
        self.ticket.answer(
            Generation(
                continuations=tuple(Continuation(ids=row.written, finish=row.finish or "length") for row in self.rows),
                cached_tokens=self.cached,
                prefill_tokens=self.prefilled,
                decode_tokens=sum(row.drawn for row in self.rows),
                flops=cost,
            )
        )

    def _drawn_spans(self) -> Iterator[tuple[int, int]]:
        """(tokens before, tokens computed) of what was drawn: once what rows share, and never a row's last token."""
        before: tuple[int, ...] = ()
        for ids in sorted(row.ids[: row.drawn - 1] for row in self.rows):
            shared = shared_length(before, ids)
            yield len(self.asked.prompt_ids) + shared, len(ids) - shared
            before = ids
