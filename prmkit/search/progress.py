"""How a search stands, while it runs."""

import math
import time
from collections.abc import Sequence

from prmkit.session import Engines, Session
from prmkit.session.ledger import Ledger
from prmkit.session.speed import Speed
from prmkit.stats import mean


class Progress:
    """The sessions of a run, as someone who watches sees them.

    Args:
        sessions: of all problems.
        engines: that they share.
    """

    def __init__(self, sessions: Sequence[Session], engines: Engines) -> None:
        self.total = len(sessions)
        self.right: dict[int, bool] = {}
        self._sessions = sessions
        self._speed = Speed(engines)
        self._start = time.monotonic()

    @property
    def done(self) -> int:
        """Problems that have their answer."""
        return len(self.right)

    def end(self, session: Session, right: bool) -> None:
        """Note that a problem has its answer."""
        self.right[id(session)] = right

    def figures(self) -> dict[str, str]:
        """Running accuracy with its error, speed of the engines (see Speed), cache hit rate, time to go."""
        ledgers = [session.ledger for session in self._sessions]
        seconds = max(time.monotonic() - self._start, 1e-9)
        left = "?" if not self.done else f"{seconds / self.done * (self.total - self.done):.0f} s"
        return {
            "accuracy": self._accuracy(),
            **self._speed.figures(sum(ledger.replayed for ledger in ledgers)),
            "cache": _hit_rate(ledgers),
            "to go": left,
        }

    def _accuracy(self) -> str:
        if not self.right:
            return "-"
        estimate = mean([float(right) for right in self.right.values()])
        error = "" if math.isnan(estimate.stderr) else f" ± {100 * estimate.stderr:.1f}"
        return f"{100 * estimate.value:.1f}{error} %"


def _hit_rate(ledgers: Sequence[Ledger]) -> str:
    cached = sum(ledger.cached_tokens + ledger.prm_cached_tokens for ledger in ledgers)
    read = cached + sum(ledger.prefill_tokens + ledger.prm_tokens for ledger in ledgers)
    return f"{100 * cached / read:.0f} %" if read else "-"
