"""A request of a generator under way, its rows, and the lanes in which they are computed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prmkit.generate import Continuation, Generation, Sampling
from prmkit.generate.draw import Draw, stream_key
from prmkit.generate.engine_thread import Ticket
from prmkit.generate.stops import StopStrings
from prmkit.models.flops import ForwardFlops
from prmkit.models.kv_tree import KVNode, shared_length
from prmkit.tree import Finish


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks for."""

    prompt_ids: tuple[int, ...]
    n: int
    sampling: Sampling
    seed: int
    stop: str | None


class Row:
    """One continuation. Until it has ended, what it has drawn stands in its lane."""

    __slots__ = ("finish", "ids", "key", "request")

    def __init__(self, request: "Request", sample: int) -> None:
        self.request = request
        self.key = stream_key(request.asked.seed, sample)
        self.ids: tuple[int, ...] = ()
        self.finish: Finish | None = None

    @property
    def drawn(self) -> int:
        """The tokens of a row that has ended, an end of sequence included."""
        return len(self.ids) + (self.finish == "eos")


@dataclass(slots=True, eq=False)
class Lane:
    """Rows whose texts are the same so far, and which are therefore computed as one.

    The samples of a prompt begin in one lane, which parts where they draw different tokens.

    Args:
        prompt: the prompt's tokens.
        rows: those that have not ended, at least one.
        drawn: the tokens that each has drawn. The list does not change.
        node: ends the path of its past in the tree of key-values; held while the lane waits for a place.
    """

    prompt: tuple[int, ...]
    rows: list[Row]
    drawn: list[int]
    node: KVNode | None = None

    @property
    def ids(self) -> tuple[int, ...]:
        """The prompt and what was drawn."""
        return (*self.prompt, *self.drawn)

    @property
    def past(self) -> int:
        """How many tokens lie before the one that is computed next, which is the last."""
        return len(self.prompt) + len(self.drawn) - 1

    @property
    def last(self) -> int:
        """The token that is computed next."""
        return self.drawn[-1] if self.drawn else self.prompt[-1]

    def requests(self) -> "set[Request]":
        """Whose rows these are."""
        return {row.request for row in self.rows}

    def wanted(self) -> bool:
        """Whether somebody waits for any of its rows; the others are dropped."""
        over = {request for request in self.requests() if request.over}
        if over:
            self.rows = [row for row in self.rows if row.request not in over]
        return bool(self.rows)

    def draws(self) -> list[Draw]:
        """What the next token of each row is drawn with."""
        position = len(self.drawn)
        samplings = [(row.key, row.request.asked.sampling) for row in self.rows]
        return [Draw(key, position, sampling.temperature, sampling.top_p) for key, sampling in samplings]

    def take(self, tokens: Sequence[int], ends: frozenset[int], stops: StopStrings) -> "list[Lane]":
        """Add the token that each row has drawn; returns the lanes of those that go on.

        An end of sequence comes before a stop string, and that before the limit, where they coincide.
        """
        rows_of: dict[int, list[Row]] = {}
        for row, token in zip(self.rows, tokens, strict=True):
            rows_of.setdefault(token, []).append(row)
        lanes = []
        for token, rows in rows_of.items():
            drawn = self.drawn if token in ends else [*self.drawn, token]
            asking = {row.request for row in rows}
            finish = {request: "eos" if token in ends else request.finish(drawn, stops) for request in asking}
            for row in rows:
                row.finish = finish[row.request]
                if row.finish is not None:
                    row.ids = tuple(drawn)
            if going := [row for row in rows if row.finish is None]:
                lanes.append(Lane(self.prompt, going, drawn))
        return lanes


class Request:
    """What was asked, its rows, and what they cost.

    A token that its rows share is paid once. One that it shares with other requests in flight is paid by each, so that
    the price does not depend on who happened to be there.

    Args:
        ticket: who asked for what.
        context: tokens that the model can read.
    """

    def __init__(self, ticket: Ticket[Asked, Generation], context: int) -> None:
        self.ticket = ticket
        self.asked = ticket.request
        self.limit = min(self.asked.sampling.max_tokens, context - len(self.asked.prompt_ids))
        self.rows = [Row(self, sample) for sample in range(self.asked.n)]
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

    def finish(self, drawn: list[int], stops: StopStrings) -> Finish | None:
        """Why a row ends with these tokens, if it does."""
        stop = self.asked.stop
        if stop is not None and stops.completes(drawn, stop):
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
                continuations=tuple(Continuation(ids=row.ids, finish=row.finish or "length") for row in self.rows),
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
