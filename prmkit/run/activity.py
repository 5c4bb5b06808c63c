"""What this process is at, where it takes a while: library code says it, and only who watches shows it."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager


class Activity:
    """Something that takes a while. Whoever does it sets ``share``, from 0 to 1, as far as it knows how much is done,
    and ``figures`` that say how it stands, such as ``{"rows": "12,000"}``.

    Args:
        what: it is, in a few words.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.share: float | None = None
        self.figures: dict[str, str] = {}
        self._start = time.monotonic()

    def __str__(self) -> str:
        """What it is, how much of it is done, for how long it has been going on, and its figures."""
        share = "" if self.share is None else f", {100 * self.share:.0f} %"
        figures = "".join(f", {value} {name}" for name, value in self.figures.items())
        return f"{self.what}{share}, {self.seconds:.0f} s{figures}"

    @property
    def seconds(self) -> float:
        """For how long it has been going on."""
        return time.monotonic() - self._start


ActivityWatch = Callable[[Activity], AbstractContextManager[object]]
"""Told of an activity as it begins, it gives a context that is open while it goes on."""

_watches: list[ActivityWatch] = []
_under_way: list[Activity] = []


@contextmanager
def busy(what: str) -> Iterator[Activity]:
    """Say what goes on within, to all who watch this process."""
    activity = Activity(what)
    with ExitStack() as stack:
        _under_way.append(activity)
        stack.callback(_under_way.remove, activity)
        for watch in tuple(_watches):
            stack.enter_context(watch(activity))
        yield activity


@contextmanager
def watching(watch: ActivityWatch) -> Iterator[None]:
    """Let ``watch`` be told of what begins within, in any thread of this process."""
    _watches.append(watch)
    try:
        yield
    finally:
        _watches.remove(watch)


def current() -> Activity | None:
    """The activity that began last of those that go on: the one that the others wait for."""
    return _under_way[-1] if _under_way else None
