"""Rows of a generator, and the lanes in which those of equal text are computed as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prmkit.generate.draw import Draws
from prmkit.generate.gumbel import stream_key
from prmkit.generate.stops import StepEnds
from prmkit.kv.tree import KVNode
from prmkit.tree import Finish

if TYPE_CHECKING:
    from prmkit.generate.request import ActiveRequest


class SampleRow:
    """One continuation. Until it has ended, what it has drawn stands in its lane."""

    __slots__ = ("draws", "finish", "ids", "kept", "request")

    def __init__(self, request: "ActiveRequest", sample: int) -> None:
        sampling = request.asked.sampling
        self.request = request
        self.draws = Draws(stream_key(request.asked.seed, sample), sampling.temperature, sampling.top_p)
        self.ids: tuple[int, ...] = ()
        self.kept: tuple[int, ...] | None = None  # in front of a mark of several tokens that ended it
        self.finish: Finish | None = None

    @property
    def drawn(self) -> int:
        """The tokens of a row that has ended, an end of sequence included."""
        return len(self.ids) + (self.finish == "eos" and self.kept is None)

    @property
    def written(self) -> tuple[int, ...]:
        """The tokens of a row that has ended, without what ended it."""
        return self.ids if self.kept is None else self.kept


@dataclass(slots=True, eq=False)
class Lane:
    """Rows whose texts are the same so far, and which are therefore computed as one.

    The samples of a prompt begin in one lane, which parts where they draw different tokens.

    Args:
        prompt: the prompt's tokens.
        rows: those that have not ended, at least one.
        drawn: the tokens that each has drawn.
        node: ends the path of its past in the tree of key-values; held while the lane waits for a place.
    """

    prompt: tuple[int, ...]
    rows: list[SampleRow]
    drawn: tuple[int, ...] = ()
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

    def requests(self) -> "set[ActiveRequest]":
        """Whose rows these are."""
        return {row.request for row in self.rows}

    def wanted(self) -> bool:
        """Whether somebody waits for any of its rows; the others are dropped."""
        over = {request for request in self.requests() if request.over}
        if over:
            self.rows = [row for row in self.rows if row.request not in over]
        return bool(self.rows)

    def take(self, tokens: Sequence[int], eos_ids: frozenset[int], ends: StepEnds) -> "list[Lane]":
        """Add the token that each row has drawn; returns the lanes of those that go on.

        An end of sequence, a token or a text that ends a turn, comes before the end of a step, and that before the
        limit, where they coincide.
        """
        rows_of: dict[int, list[SampleRow]] = {}
        for row, token in zip(self.rows, tokens, strict=True):
            rows_of.setdefault(token, []).append(row)
        lanes = []
        for token, rows in rows_of.items():
            drawn = self.drawn if token in eos_ids else (*self.drawn, token)
            kept = None if token in eos_ids else ends.before_mark(drawn)
            ended = token in eos_ids or kept is not None
            asking = {row.request for row in rows}
            finish = {request: "eos" if ended else request.finish(drawn, ends) for request in asking}
            for row in rows:
                row.finish = finish[row.request]
                if row.finish is not None:
                    row.ids, row.kept = drawn, kept
            if going := [row for row in rows if row.finish is None]:
                lanes.append(Lane(self.prompt, going, drawn))
        return lanes
