"""What was computed: every token and call of the engines, generator and PRM apart."""

from dataclasses import asdict, dataclass, fields


@dataclass(slots=True)
class Ledger:
    """Counts of one problem, or summed over a run.

    ``cached_tokens`` and ``prm_cached_tokens`` were read from a cache; all other ``*_tokens`` were computed (a prompt
    shared by n samples counts once). ``*_flops`` are floating-point operations, NaN where an engine cannot know them.
    Seconds are wall clock spent waiting for the engine, queue included. ``replayed`` counts replies read from the
    journal; their tokens were paid by an earlier run and are counted again here, so that a resumed run reports what the
    whole run took.
    """

    generator_calls: int = 0
    generations: int = 0
    cached_tokens: int = 0
    prefill_tokens: int = 0
    decode_tokens: int = 0
    generator_flops: float = 0.0
    generator_seconds: float = 0.0
    prm_calls: int = 0
    prm_cached_tokens: int = 0
    prm_tokens: int = 0
    prm_flops: float = 0.0
    prm_seconds: float = 0.0
    replayed: int = 0

    def add(self, other: "Ledger") -> None:
        """Add the counts of another ledger to this one."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))

    def as_dict(self) -> dict[str, float]:
        """The counts by name."""
        return asdict(self)
