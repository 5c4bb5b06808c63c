"""Equality of answers in worker processes, each pair of answers under a hard time limit.

math-verify's own limit is SIGALRM, which works in the main thread of a process only and does not interrupt one long
C-level operation (a power of a power). Here a worker that is late is killed and replaced, and its pair counts as
different.
"""

import atexit
import importlib
import json
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Literal

from prmkit.errors import RunError
from prmkit.grade.config import Relation

Equality = Literal["equal", "different", "unparsed"]
"""``unparsed``: the gold answer does not parse."""

_VERDICTS: tuple[Equality, ...] = ("equal", "different", "unparsed")
_START_SECONDS = 120.0
"""Limit of a worker's start: sympy is imported, maybe on a loaded machine."""


class Workers:
    """At most ``count`` worker processes, started when first needed, ended at exit.

    Args:
        seconds: wall-clock limit of one pair.
        count: processes; by default one a core, 4 at most.
        relation: who compares.
    """

    def __init__(self, *, seconds: float = 5.0, count: int | None = None, relation: Relation = "math-verify") -> None:
        self._seconds, self._relation = seconds, relation
        self._count = count or min(4, os.cpu_count() or 1)
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        _all.add(self)

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[Equality]:
        """The verdict of each (gold, answer), tried in both directions.

        Raises:
            RunError: a worker does not start.
        """
        if len(pairs) <= 1:
            return [self._compare_one(pair) for pair in pairs]
        with ThreadPoolExecutor(min(self._count, len(pairs))) as threads:
            return list(threads.map(self._compare_one, pairs))

    def close(self) -> None:
        """End the idle workers."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def _compare_one(self, pair: tuple[str, str]) -> Equality:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is None or worker.owner != os.getpid():
            worker = _Worker(self._seconds, self._relation)
        verdict = worker.compare(pair)
        if verdict is None:
            worker.end()
            return "different"
        with self._lock:
            self._idle.append(worker)
        return verdict


class _Worker:
    """One process, spoken to by JSON lines."""

    def __init__(self, seconds: float, relation: Relation) -> None:
        self.owner = os.getpid()
        self._seconds = seconds
        # Not multiprocessing: its spawn runs the caller's __main__ again, and a fork would copy torch's threads.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "prmkit.grade.math.equality", str(seconds), relation],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if self._line(_START_SECONDS) != b"ready\n":
            self.end()
            raise RunError("the worker that compares answers does not start (is math-verify installed?)")

    def compare(self, pair: tuple[str, str]) -> Equality | None:
        """The verdict, or None for a worker that is late or dead."""
        assert self._process.stdin is not None  # PIPE above
        try:
            self._process.stdin.write(json.dumps(pair).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return None
        text = self._line(self._seconds).decode().strip()
        return next((verdict for verdict in _VERDICTS if verdict == text), None)

    def end(self) -> None:
        """Kill the process and wait for it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                continue

    def _line(self, seconds: float) -> bytes:
        assert self._process.stdout is not None  # PIPE above
        descriptor, deadline, line = self._process.stdout.fileno(), time.monotonic() + seconds, b""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            block = os.read(descriptor, 4096) if left > 0 and poll.poll(left * 1000) else b""
            if not block:
                return b""
            line += block
        return line


_all: "weakref.WeakSet[Workers]" = weakref.WeakSet()


def _close_all() -> None:
    for workers in list(_all):
        workers.close()


atexit.register(_close_all)


def _serve() -> None:
    """The worker's side: one pair a line in, one verdict a line out."""
    import resource
    import signal

    relations: dict[str, Callable[[], Callable[[str, str], Equality]]] = {
        "math-verify": _math_verify,
        "prm800k": lambda: _either("prmkit.grade.math.prm800k"),
        "qwen": lambda: _either("prmkit.grade.math.qwen"),
    }
    compare = relations[sys.argv[2]]()
    # The last resort if the parent is gone while a pair hangs: the default action of SIGALRM ends the process.
    limit = int(float(sys.argv[1])) + 2
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    print("ready", flush=True)
    for line in sys.stdin:
        signal.alarm(limit)
        verdict = compare(*json.loads(line))
        signal.alarm(0)
        print(verdict, flush=True)


def _either(module: str) -> Callable[[str, str], Equality]:
    """A grader that knows no unparsed gold: equal if it says so in either direction."""
    same: Callable[[str, str], bool] = importlib.import_module(module).same

    def compare(gold: str, answer: str) -> Equality:
        try:
            return "equal" if same(gold, answer) or same(answer, gold) else "different"
        # Recursion and the like: what it cannot compare is not equal.
        except Exception:
            return "different"

    return compare


def _math_verify() -> Callable[[str, str], Equality]:
    import math_verify
    import sympy

    # math-verify catches its own errors, but not what sympy may raise below it; neither side may end the worker.
    @lru_cache(maxsize=4096)
    def parse(text: str) -> list[object]:
        try:
            return list(math_verify.parse("\\boxed{" + text + "}", parsing_timeout=None))
        except Exception:
            return []

    def verify(gold: list[object], answer: list[object]) -> bool:
        try:
            return bool(math_verify.verify(gold, answer, timeout_seconds=None))
        except Exception:
            return False

    def compare(gold: str, answer: str) -> Equality:
        wanted, given = parse(gold), parse(answer)
        if not wanted:
            return "unparsed"
        if not given:
            return "different"
        # The order matters to math-verify only where relations, sets and the like are compared.
        both_ways = not all(isinstance(parsed[0], sympy.Expr) for parsed in (wanted, given))
        return "equal" if verify(wanted, given) or (both_ways and verify(given, wanted)) else "different"

    return compare


if __name__ == "__main__":
    _serve()
