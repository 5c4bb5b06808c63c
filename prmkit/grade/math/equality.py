"""Work on answers in worker processes, each request under a hard time limit.

math-verify's own limit is SIGALRM, which works in the main thread of a process only and does not interrupt one long
C-level operation (a power of a power). Here a worker interrupts itself after some seconds of CPU time, so that a loaded
machine changes no verdict, and one that cannot is killed and replaced. All requests of a call share one budget.
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
from typing import Any, Final

from prmkit.errors import RunError
from prmkit.grade.config import Relation
from prmkit.run.children import module_command, module_environment

Request = tuple[str, ...]
"""The name of a piece of work (see ``_serve``) and what it is to be done on."""


class Late:
    """The reply to a request that ran out of time."""


LATE: Final = Late()
_START_SECONDS = 120.0
"""Limit of a worker's start: sympy is imported, maybe on a loaded machine."""
_LOADED = 3.0
"""How much longer than its CPU time a request may take on a loaded machine."""


class Workers:
    """At most ``count`` worker processes, started when first needed, ended at exit.

    Args:
        seconds: limit of one request, in CPU time.
        budget: limit of all requests of a call, in wall-clock time from when the workers have started.
        count: processes; by default one a core, 4 at most.
        relation: who compares, for ``same``.
    """

    def __init__(
        self,
        *,
        seconds: float = 3.0,
        budget: float = 15.0,
        count: int | None = None,
        relation: Relation = "math-verify",
    ) -> None:
        self._seconds, self._budget, self._relation = seconds, budget, relation
        self._count = count or min(4, os.cpu_count() or 1)
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        _all.add(self)

    def deadline(self) -> float:
        """When work that begins now runs out of its budget."""
        return time.monotonic() + self._budget

    def ask(self, requests: Sequence[Request], deadline: float | None = None) -> list[Any]:
        """The reply to each request, or LATE.

        Raises:
            RunError: a worker does not start.
        """
        if not requests:
            return []
        if not self._idle:  # a start is not to be counted
            self._put_back(self._take())
        until = self.deadline() if deadline is None else deadline
        if len(requests) == 1:
            return [self._reply(requests[0], until)]
        with ThreadPoolExecutor(min(self._count, len(requests))) as threads:
            return list(threads.map(lambda request: self._reply(request, until), requests))

    def close(self) -> None:
        """End the idle workers."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def _take(self) -> "_Worker":
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is None or worker.owner != os.getpid():
            worker = _Worker(self._seconds, self._relation)
        return worker

    def _put_back(self, worker: "_Worker") -> None:
        with self._lock:
            self._idle.append(worker)

    def _reply(self, request: Request, until: float) -> Any:
        if until <= time.monotonic():
            return LATE
        worker = self._take()
        reply = worker.ask(request, until)
        if reply is None:
            worker.end()
            return LATE
        self._put_back(worker)
        return LATE if reply == "late" else json.loads(reply)


class _Worker:
    """One process, spoken to by JSON lines."""

    def __init__(self, seconds: float, relation: Relation) -> None:
        self.owner = os.getpid()
        self._seconds = seconds
        self._process = subprocess.Popen(
            module_command("prmkit.grade.math.equality", str(seconds), relation),
            env=module_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if self._line(time.monotonic() + _START_SECONDS) != b"ready\n":
            self.end()
            raise RunError("the worker that compares answers does not start (is math-verify installed?)")

    def ask(self, request: Request, until: float) -> str | None:
        """The line of the reply, or None for a worker that is late, dead or talks nonsense."""
        assert self._process.stdin is not None  # PIPE above
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return None
        text = self._line(min(until, time.monotonic() + _LOADED * self._seconds)).decode().strip()
        try:
            json.loads(text)
        except ValueError:
            return text if text == "late" else None
        return text

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

    def _line(self, deadline: float) -> bytes:
        assert self._process.stdout is not None  # PIPE above
        descriptor, line = self._process.stdout.fileno(), b""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            block = os.read(descriptor, 65536) if left > 0 and poll.poll(left * 1000) else b""
            if not block:
                return b""
            line += block
        return line


_all: "weakref.WeakSet[Workers]" = weakref.WeakSet()


def _close_all() -> None:
    for workers in list(_all):
        workers.close()


atexit.register(_close_all)


class _OutOfTime(BaseException):
    """Not an Exception: sympy and math-verify catch those."""


def _serve() -> None:
    """The worker's side: one request a line in, one reply a line out."""
    import resource
    import signal

    def out_of_time(*_: object) -> None:
        raise _OutOfTime

    seconds = float(sys.argv[1])
    work = _math_verify() if sys.argv[2] == "math-verify" else {"same": _one_way(f"prmkit.grade.math.{sys.argv[2]}")}
    signal.signal(signal.SIGPROF, out_of_time)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    print("ready", flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        # The last resort if the parent is gone while a request hangs: the default action of SIGALRM ends the process.
        signal.alarm(int(_LOADED * seconds) + 2)
        try:
            signal.setitimer(signal.ITIMER_PROF, seconds)
            reply = json.dumps(work[name](*arguments))
        except _OutOfTime:
            reply = "late"
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
        print(reply, flush=True)


def _one_way(module: str) -> Callable[[str, str], bool]:
    """Another grader's relation, which takes the first answer for gold."""
    same: Callable[[str, str], bool] = importlib.import_module(module).same

    def compare(gold: str, answer: str) -> bool:
        try:
            return same(gold, answer)
        # Recursion and the like: what it cannot compare is not equal.
        except Exception:
            return False

    return compare


def _math_verify() -> dict[str, Callable[..., Any]]:
    from prmkit.grade.math import symbolic

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: str) -> Any:
            try:
                return function(*arguments)
            # Sympy raises nearly everything somewhere; no request may end the worker.
            except (Exception, RecursionError, MemoryError):
                return None

        return call

    functions = (symbolic.values, symbolic.sides, symbolic.region, symbolic.equivalent)
    return {function.__name__: guarded(function) for function in functions}


if __name__ == "__main__":
    _serve()
