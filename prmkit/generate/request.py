"""A request of a generator under way, and the rows that answer it."""

from dataclasses import dataclass, field

from prmkit.generate import Continuation, Generation, Sampling
from prmkit.generate.draw import Draw, stream_key
from prmkit.generate.engine_thread import Ticket
from prmkit.generate.stops import StopStrings
from prmkit.models.flops import ForwardFlops
from prmkit.models.kv_tree import KVNode
from prmkit.tree import Finish


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks for."""

    prompt_ids: tuple[int, ...]
    n: int
    sampling: Sampling
    seed: int
    stop: str | None


@dataclass(slots=True, eq=False)
class Row:
    """One continuation. ``drawn`` counts its tokens, an end included; ``node`` is held while it waits for a place."""

    request: "Request"
    key: int
    ids: list[int] = field(default_factory=list)
    drawn: int = 0
    finish: Finish | None = None
    node: KVNode | None = None

    @property
    def past(self) -> int:
        """How many tokens lie before the one that is computed next, which is the last."""
        return len(self.request.asked.prompt_ids) + len(self.ids) - 1

    @property
    def computed(self) -> int:
        """How many tokens had been computed when the last one was drawn."""
        return len(self.request.asked.prompt_ids) + self.drawn - 1

    def all_ids(self) -> tuple[int, ...]:
        """The prompt and what was drawn."""
        return (*self.request.asked.prompt_ids, *self.ids)

    def next_draw(self) -> Draw:
        """What the next token is drawn with."""
        sampling = self.request.asked.sampling
        return Draw(key=self.key, position=self.drawn, temperature=sampling.temperature, top_p=sampling.top_p)

    def take(self, token: int, ends: frozenset[int], stops: StopStrings) -> None:
        """Add a drawn token. An end comes before a stop string, and that before the limit, where they coincide."""
        self.drawn += 1
        if token in ends:
            self.finish = "eos"
            return
        self.ids.append(token)
        stop = self.request.asked.stop
        if stop is not None and stops.completes(self.ids, stop):
            self.finish = "stop"
        elif len(self.ids) >= self.request.limit:
            self.finish = "length"


class Request:
    """What was asked, its rows, and what they cost.

    Args:
        ticket: who asked for what.
        context: tokens that the model can read.
    """

    def __init__(self, ticket: Ticket[Asked, Generation], context: int) -> None:
        self.ticket = ticket
        self.asked = ticket.request
        self.limit = min(self.asked.sampling.max_tokens, context - len(self.asked.prompt_ids))
        self.rows = [Row(self, stream_key(self.asked.seed, sample)) for sample in range(self.asked.n)]
        self.cached = len(self.asked.prompt_ids)
        self.spans: list[tuple[int, int]] = []
        self.second_looks: list[int] = []

    @property
    def over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.ticket.answered or self.ticket.dropped

    @property
    def longest(self) -> int:
        """Tokens that a row may grow to, prompt included."""
        return len(self.asked.prompt_ids) + self.limit

    def answer_if_done(self, flops: ForwardFlops) -> None:
        """Answer once every row has ended."""
        if any(row.finish is None for row in self.rows):
            return
        prompt = len(self.asked.prompt_ids)
        cost = flops.of(0, read=1) + sum(flops.of(tokens, before=before) for before, tokens in self.spans)
        # The last sampled token is not computed, and every other one is read by the LM head, as the prompt's last is.
        cost += sum(flops.of(row.drawn - 1, before=prompt, read=row.drawn - 1) for row in self.rows)
        cost += sum(flops.of(tokens, read=1) for tokens in self.second_looks)
        self.ticket.answer(
            Generation(
                continuations=tuple(Continuation(ids=tuple(r.ids), finish=r.finish or "length") for r in self.rows),
                cached_tokens=self.cached,
                prefill_tokens=sum(tokens for _, tokens in self.spans),
                decode_tokens=sum(row.drawn for row in self.rows),
                flops=cost,
            )
        )
