"""Tokens that an engine draws and reads, counted as they come, and how fast they come."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable


class Meter:
    """Counts the tokens of one engine, from whichever threads they come; the counts only grow.

    An engine that has one as its attribute ``meter`` adds to it as tokens come, those of requests under way too, and
    whoever watches the run reads it. What a journal answers never reaches an engine, and is not counted.

    Args:
        live: whether tokens are counted as they come; False where some are only as their request ends.
        parts: meters of engines that this one asks, whose counts are in its own.
    """

    def __init__(self, *, live: bool = True, parts: Iterable["Meter"] = ()) -> None:
        self._parts = tuple(parts)
        self.live: bool = live and all(part.live for part in self._parts)
        self._lock = threading.Lock()
        self._drawn = self._read = 0

    @property
    def drawn(self) -> int:
        """Tokens that were sampled."""
        return self._drawn + sum(part.drawn for part in self._parts)

    @property
    def read(self) -> int:
        """Tokens of prompts, or of the solutions that a PRM judges, that were computed and not read from a cache."""
        return self._read + sum(part.read for part in self._parts)

    def add(self, *, drawn: int = 0, read: int = 0) -> None:
        """Count tokens that have come."""
        with self._lock:
            self._drawn += drawn
            self._read += read


def meter_of(engine: object) -> Meter | None:
    """The meter of an engine; None for one that has none, such as somebody's own."""
    found = getattr(engine, "meter", None)
    return found if isinstance(found, Meter) else None


class Rate:
    """How fast a count has grown of late.

    Args:
        count: gives the count; it only grows.
        window: seconds to look back.
    """

    def __init__(self, count: Callable[[], int], window: float) -> None:
        self._count, self._window = count, window
        self._seen = deque([(time.monotonic(), count())])

    def now(self) -> float:
        """Growth a second over the window: since the last time of asking that lies at least so far back, or since this
        was made, where that is not so long ago."""
        now, count = time.monotonic(), self._count()
        self._seen.append((now, count))
        while self._seen[1][0] <= now - self._window:
            self._seen.popleft()
        then, before = self._seen[0]
        return (count - before) / (now - then) if now > then else 0.0
