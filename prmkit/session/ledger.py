"""What was computed: every token and call of the engines, generator and PRM apart."""

from dataclasses import asdict, dataclass, fields

from prmkit.stats import Known


@dataclass(slots=True)
class Ledger:
    """Counts of one problem, or summed over a run.

    ``continuations`` are the samples that were drawn, steps and whole solutions alike; ``generations`` is how many
    whole solutions they amount to (see ``Width``). ``decode_tokens`` were drawn. ``cached_tokens`` and
    ``prm_cached_tokens`` were read from a cache, and all other ``*_tokens`` were computed (a prompt shared by n
    samples counts once). ``prm_windowed`` counts the steps that the PRM read without the beginning of their path.
    ``too_long`` counts prompts that fill the policy's context: of the problem, or of a judge about it. ``*_flops`` are
    floating-point operations, NaN where an engine cannot know them. Seconds are wall clock spent waiting for the
    engine, queue included. ``replayed`` counts replies read from the journal; their tokens were paid by an earlier run
    and are counted again here, so that a resumed run reports what the whole run took. A request that the clock cut
    short gave no reply and is not in here.
    """

    generator_calls: int = 0
    continuations: int = 0
    generations: int = 0
    cached_tokens: int = 0
    prefill_tokens: int = 0
    decode_tokens: int = 0
    generator_flops: Known = 0.0
    generator_seconds: float = 0.0
    prm_calls: int = 0
    prm_cached_tokens: int = 0
    prm_tokens: int = 0
    prm_windowed: int = 0
    prm_flops: Known = 0.0
    prm_seconds: float = 0.0
    too_long: int = 0
    replayed: int = 0

    @property
    def total_tokens(self) -> int:
        """Tokens that the policy drew, and those that either engine read and had not in its cache."""
        return self.prefill_tokens + self.decode_tokens + self.prm_tokens

    @property
    def flops(self) -> float:
        """Floating-point operations of both engines."""
        return self.generator_flops + self.prm_flops

    def add(self, other: "Ledger") -> None:
        """Add the counts of another ledger to this one."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_dict(self) -> dict[str, float]:
        """The counts by name."""
        return asdict(self)


_COUNTS = tuple(item.name for item in fields(Ledger))


def total(ledgers: "list[Ledger]") -> Ledger:
    """The sum of several ledgers."""
    summed = Ledger()
    for ledger in ledgers:
        summed.add(ledger)
    return summed


class Width:
    """How many whole solutions the draws of a problem amount to: the most steps that were drawn at any one depth.

    N solutions of a best-of-N are N; a beam search that draws N steps at every depth is N as well. Whatever the
    strategy, N generations sample at most N times the steps of a solution. It is the budget of arXiv 2408.03314
    (section 5: N beams cost as much as N samples), counted for any tree.
    """

    def __init__(self) -> None:
        self._at_depth: list[int] = []
        self._wholes = 0  # draws that go on to the end, so beyond every depth that is listed

    @property
    def value(self) -> int:
        """The generations so far."""
        return max([*self._at_depth, self._wholes])

    def room(self, depth: int, limit: int, *, whole: bool) -> int:
        """How many more draws from a node of this depth (the problem's is 0) stay within ``limit``."""
        self._reach(depth)
        drawn = max([*self._at_depth[depth:], self._wholes]) if whole else self._at_depth[depth]
        return max(0, limit - drawn)

    def draw(self, depth: int, n: int, *, whole: bool) -> None:
        """Count ``n`` draws from a node of this depth: of its next step, or of all steps to the end."""
        self._reach(depth)
        if whole:
            self._wholes += n
            self._at_depth[depth:] = [count + n for count in self._at_depth[depth:]]
        else:
            self._at_depth[depth] += n

    def _reach(self, depth: int) -> None:
        self._at_depth += [self._wholes] * (depth + 1 - len(self._at_depth))
