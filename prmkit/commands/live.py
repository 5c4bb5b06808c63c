"""What is shown while a verb works: in place on a terminal, elsewhere lines at times.

Standard output stays free for results: everything goes to standard error.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import typer

from prmkit.run.activity import Activity, current, watching
from prmkit.run.ranks import this_process

_SECONDS_BEFORE_A_LINE = 1.0
"""What is over before needs no line in a log."""

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_LOOKS = 1.0


def is_terminal() -> bool:
    """Whether a person watches standard error, where progress is shown."""
    return sys.stderr.isatty()


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[..., None]]:
    """A function to call as each of ``total`` things is done: a live table on a terminal, elsewhere a line at times.

    It takes how many are done, and figures to show beside (see recipe.watch.Done).
    """
    if is_terminal():
        bar = _Bar(what, total)
        with _FOOT.shown(bar):
            yield bar.done
    else:
        line = _Line(what, total)
        with _beside(line.keep_up):
            yield line.done


def activities() -> AbstractContextManager[None]:
    """Show what the process is at within, such as the loading of weights, as it begins and while it goes on.

    Of the processes that share a run only the first one says so.
    """
    return watching(_shown)


def _shown(activity: Activity) -> AbstractContextManager[None]:
    if not this_process().first:
        return nullcontext()
    return _FOOT.shown() if is_terminal() else _logged(activity)


def _logged(activity: Activity) -> AbstractContextManager[None]:
    return _beside(lambda ended: _log(activity, ended))


@contextmanager
def _beside(say: Callable[[threading.Event], None]) -> Iterator[None]:
    """Lines from a thread of their own, for who is at it says nothing until it is done."""
    ended = threading.Event()
    thread = threading.Thread(target=say, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _log(activity: Activity, ended: threading.Event) -> None:
    pause = _SECONDS_BEFORE_A_LINE
    while not ended.wait(pause):
        pause = _SECONDS_BETWEEN_LINES
        if current() is activity:  # else it waits for another one, which says so itself
            with suppress(OSError, ValueError):  # nobody reads any more
                _say(str(activity))


_said = time.monotonic()
"""When the last line was shown; before there is one, when the process began."""


def _say(line: str) -> None:
    global _said
    _said = time.monotonic()
    typer.echo(line, err=True)


class _Line:
    """How many things are done, as lines at times: when one is done, and where that takes long, meanwhile."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._count = what, total, 0
        self._start = self._last = time.monotonic()
        self._figures: Mapping[str, str] = {}
        self._lock = threading.Lock()

    def done(self, new: int = 1, figures: Mapping[str, str] | None = None) -> None:
        """See recipe.watch.Done."""
        with self._lock:
            self._count += new
            self._figures = figures or {}
            if (new and self._count == self._total) or time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
                self._show()

    def keep_up(self, ended: threading.Event) -> None:
        """Say how things stand whenever nobody has said anything for as long as between two lines."""
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            with self._lock, suppress(OSError, ValueError):  # nobody reads any more
                if time.monotonic() - _said >= _SECONDS_BETWEEN_LINES:
                    self._show()

    def _show(self) -> None:
        self._last = now = time.monotonic()
        shown = "".join(f", {name} {value}" for name, value in self._figures.items())
        _say(f"{self._what}: {self._count} of {self._total}, {now - self._start:.0f} s{shown}")


class _Bar:
    """A bar, and below it the figures in a row."""

    def __init__(self, what: str, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._task = self._bar.add_task(what, total=total)
        self._figures: dict[str, str] = {}

    def done(self, new: int = 1, figures: Mapping[str, str] | None = None) -> None:
        """See recipe.watch.Done."""
        self._bar.advance(self._task, new)
        if figures:
            self._figures = dict(figures)

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.table import Table

        if not self._figures:
            return self._bar
        table = Table(*self._figures, box=None, pad_edge=False)
        table.add_row(*self._figures.values())
        return Group(self._bar, table)


class _Foot:
    """The last lines of the terminal: bars, and below them what the process is at; all in the one display there can be.

    It is there while anything is shown, and is drawn by a thread, so that it lives while everybody is busy.
    """

    def __init__(self) -> None:
        self._bars: list[_Bar] = []
        self._open = 0
        self._live: Any = None

    @contextmanager
    def shown(self, bar: _Bar | None = None) -> Iterator[None]:
        """Show a bar, or else only what the process is at."""
        from rich.console import Console
        from rich.live import Live

        bars = [] if bar is None else [bar]
        self._bars += bars
        if not self._open:
            # What is printed beside a bar goes above it. An activity may start processes by a fork, and what those
            # print must not end in a display that is not theirs.
            self._live = Live(
                get_renderable=self._drawn,
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=bool(bars),
                redirect_stderr=bool(bars),
            )
            self._live.start()
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self._live.stop()
            for each in bars:
                self._bars.remove(each)

    def _drawn(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        activity = current()
        said = [] if activity is None else [Text(str(activity), no_wrap=True, overflow="ellipsis")]
        return Group(*self._bars, *said)


_FOOT = _Foot()
