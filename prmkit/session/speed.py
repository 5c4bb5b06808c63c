"""How fast the engines of a run are, while it runs."""

from prmkit.generate.meter import Meter, Rate
from prmkit.session.engines import Engines

LIVE_WINDOW, WHOLE_WINDOW = 5.0, 60.0
"""Seconds over which a speed is taken: of tokens that are counted as they come, and of those counted by request."""


class Speed:
    """Tokens a second of the policy and of the PRM, from when this is made on, as someone who watches sees them.

    Args:
        engines: of the run. Where an engine has no meter, tokens count as their request ends.
    """

    def __init__(self, engines: Engines) -> None:
        self._policy = _Gauge(engines.policy_meter)
        self._prm = _Gauge(engines.prm_meter) if engines.scorer is not None else None
        self._replayed = 0

    def figures(self, replayed: int = 0) -> dict[str, str]:
        """The speed of each engine that the run has; before any token has come, what is happening.

        Args:
            replayed: replies that the journal has given so far, whose tokens are in no speed.
        """
        replaying, self._replayed = replayed > self._replayed, replayed
        found = {"policy": self._policy.drawing(replaying=replaying)}
        return found if self._prm is None else found | {"PRM": self._prm.judging()}


class _Gauge:
    """The speed of one engine."""

    def __init__(self, meter: Meter) -> None:
        window = LIVE_WINDOW if meter.live else WHOLE_WINDOW
        self._meter = meter
        self._start = meter.drawn, meter.read
        self._drawn = Rate(lambda: meter.drawn, window)
        self._read = Rate(lambda: meter.read, window)

    def drawing(self, *, replaying: bool) -> str:
        """Of a policy: the tokens that it draws, and what it does while it draws none."""
        drawn, read = self._drawn.now(), self._read.now()
        if drawn:
            return _per_second(drawn)
        if replaying:
            return "replaying"
        has_drawn, has_read = (now > then for now, then in zip(self._counts, self._start, strict=True))
        if not self._meter.live:
            return _per_second(0) if has_drawn else "no reply yet"
        if read or not (has_drawn or has_read):
            return "reading prompts"
        return _per_second(0) if has_drawn else "drawing"

    def judging(self) -> str:
        """Of a PRM: the tokens that it reads, and those that a judge writes."""
        speed = self._drawn.now() + self._read.now()
        return _per_second(speed) if speed or self._counts != self._start else "waiting"

    @property
    def _counts(self) -> tuple[int, int]:
        return self._meter.drawn, self._meter.read


def _per_second(speed: float) -> str:
    return f"{speed:,.0f} tok/s" if speed >= 10 or not speed else f"{speed:.1f} tok/s"
