"""A pass of one annotator over a file of trees: all problems under way at once, each paid for once.

Trees are written in their order as they are done, with what they cost. A killed pass goes on after the last tree it
wrote, and the journal answers what the unfinished ones had asked.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from prmkit.generate import TooLong
from prmkit.session import Engines, Session
from prmkit.session.concurrent import ticking
from prmkit.session.journal import Journal
from prmkit.session.ledger import Ledger
from prmkit.session.speed import Speed
from prmkit.tree import StepTree
from prmkit.trees_io import append_lines, read_lines, repair_lines, to_record

_LOG = logging.getLogger(__name__)

WINDOW = 2048
"""Problems under way or waiting to be written: enough to fill any engine, few enough for any memory."""


PassDone = Callable[[int, Mapping[str, str]], None]
"""Told how many more trees of a pass are written, and the figures of now by name."""

RunToEnd = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a coroutine to its end."""


class PassJournal(Journal):
    """The part of a run's journal that one pass reads and writes: passes ask the same of the same problems."""

    def __init__(self, path: Path | None, name: str) -> None:
        self._name = name
        super().__init__(path)

    def get(self, key: str) -> dict[str, Any] | None:
        """The reply to this pass."""
        return super().get(f"{self._name}/{key}")

    def put(self, key: str, reply: dict[str, Any]) -> None:
        """Record a reply to this pass."""
        super().put(f"{self._name}/{key}", reply)


def run_pass(
    trees: Iterable[StepTree],
    engines: Callable[[], Engines],
    estimate: Callable[[Session], Awaitable[None]],
    out: Path,
    *,
    done: PassDone = lambda count, figures: None,
    run: RunToEnd = asyncio.run,
) -> Ledger:
    """Run a coroutine on every tree, write the trees to ``out``, and return what it cost, earlier tries included.

    A problem that fills the policy's context is left as it is and counted (``Ledger.too_long``); the others go on.

    Args:
        trees: read as there is room; of a pass that goes on, the same ones in the same order.
        engines: called once, if there is anything left to do.
        estimate: labels the tree of a session, or grows it.
        out: JSON lines of trees; if it exists the pass is done. Until then it is called ``out.partial``.
        done: told as each tree is written, and twice a second of the speed.
        run: runs a coroutine to its end; passes that follow each other with one engine need one event loop.

    Raises:
        the first error of an estimate; what was written is kept.
    """
    partial = out.with_name(out.name + ".partial")
    out.parent.mkdir(parents=True, exist_ok=True)
    repair_lines(partial)
    ledger = Ledger()
    written = 0
    for paid in _costs(out if out.exists() else partial):
        ledger.add(paid)
        written += 1
        done(1, {})
    if not out.exists():
        writer = _Writer(partial, ledger, done)
        try:
            run(writer.run(islice(trees, written, None), engines, estimate))
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        partial.touch()
        partial.rename(out)
    return ledger


def _costs(path: Path) -> Iterator[Ledger]:
    """What each tree of a pass cost. JSON has null for the costs that an engine cannot know."""
    for _, record in read_lines(path) if path.exists() else ():
        costs: dict[str, Any] = {name: math.nan if cost is None else cost for name, cost in record["costs"].items()}
        yield Ledger(**costs)


class _Writer:
    """Runs the trees and writes them in their order, however they come to an end."""

    def __init__(self, path: Path, ledger: Ledger, done: PassDone) -> None:
        self._path, self._ledger, self._done = path, ledger, done
        self._speed: Speed | None = None
        self._finished: dict[int, Session] = {}
        self._written = 0

    async def run(
        self,
        trees: Iterable[StepTree],
        engines: Callable[[], Engines],
        estimate: Callable[[Session], Awaitable[None]],
    ) -> None:
        room = asyncio.Semaphore(WINDOW)
        shared: Engines | None = None

        async def one(index: int, session: Session) -> None:
            try:
                await estimate(session)
            except TooLong as error:
                _LOG.warning("%s. It is left as it is", error)
            self._finished[index] = session
            while (ready := self._finished.pop(self._written, None)) is not None:
                self._write(ready)
                room.release()

        async with ticking(lambda: self._done(0, self._figures())), asyncio.TaskGroup() as group:
            for index, tree in enumerate(trees):
                await room.acquire()
                if shared is None:
                    shared = engines()
                    self._speed = Speed(shared)
                group.create_task(one(index, Session(tree, shared)))

    def _figures(self) -> dict[str, str]:
        return {} if self._speed is None else self._speed.figures()

    def _write(self, session: Session) -> None:
        append_lines(self._path, [{**to_record(session.tree), "costs": session.ledger.as_dict()}])
        self._written += 1
        self._ledger.add(session.ledger)
        self._done(1, self._figures())
