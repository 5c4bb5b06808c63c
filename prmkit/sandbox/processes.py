"""The processes behind isolation: the interpreters that programs are forked from, and one run of a program.

isolate.py says what a program is run for; here is how it is started, listened to and ended.
"""

import atexit
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prmkit.errors import InputError, RunError
from prmkit.sandbox.clock import WINDOW, ProgramClock
from prmkit.sandbox.policy import STRICT, Policy

_REPLY_CAP = 256 << 20
"""Bytes of reply that are read from one program; what is over is cut."""
_BACKSTOP = 10.0
"""A program is ended after so many times its seconds by the wall clock, however little of them it had."""
_GRACE = 10.0
"""Seconds that a supervisor may be late (a loaded machine) before the zygote counts as broken and is replaced."""


_BOOT = """
import sys, types
for name, path in (("prmkit", sys.argv[2]), ("prmkit.sandbox", sys.argv[3])):
    module = types.ModuleType(name)
    module.__path__ = [path]
    sys.modules[name] = module
from prmkit.sandbox.zygote import main
main(int(sys.argv[1]), packages=sys.argv[4] == "packages")
"""
"""Imports the zygote without running the package's own __init__: the bare interpreter has no site packages."""


_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
}
"""All that programs see of an environment. Threads of a library would not survive the fork."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one program may use, and what it sees.

    ``seconds`` is the time that the whole program may have (clock.py): calls not yet answered then are Timeout. A busy
    machine makes no difference; only after 10 times as long by the wall clock a program is ended in any case.
    ``memory_mb`` is the address space of each of its processes. ``packages``: the installed packages, read-only, else
    the standard library alone. ``policy``: whether it may run at all where this machine offers no isolation.
    """

    seconds: float = 4.0
    memory_mb: int = 1024
    packages: bool = False
    policy: Policy = STRICT


DEFAULT = Limits()


def layers(*, packages: bool = False) -> tuple[str, ...]:
    """The walls that are in force on this machine.

    rlimits, session, no_new_privs; the namespaces net, ipc, pid; root (a private file system that shows only the
    system and the interpreter, read-only); uid (a user of its own for every program); landlock<version>; seccomp.
    """
    return _ZYGOTES[packages].layers()


def close() -> None:
    """End the zygotes; the next run starts others."""
    for zygote in _ZYGOTES.values():
        zygote.close()


def _require_walls(limits: Limits) -> None:
    found = layers(packages=limits.packages)
    isolated = "net" in found or any(layer.startswith("landlock") for layer in found)
    if not isolated and not limits.policy.unsafe_local:
        raise InputError(
            "no isolation for untrusted programs on this machine",
            got=", ".join(found),
            expected="Linux namespaces or Landlock",
            cure="Allow unprivileged user namespaces, use a container that has them, or consent: --unsafe-local, or "
            "grading.unsafe_local in a recipe.",
        )


class ProgramRun:
    """One program from its start to its end, which is here before ``close`` returns."""

    def __init__(self, request: dict[str, Any], limits: Limits, *, feed: bool = False) -> None:
        _require_walls(limits)
        self._zygote = _ZYGOTES[limits.packages]
        seconds = limits.seconds
        request |= {"seconds": seconds, "wall_seconds": _BACKSTOP * seconds, "memory_mb": limits.memory_mb}
        self._result, result = os.pipe()
        self._status, status = socket.socketpair()
        pipe: tuple[int | None, int | None] = os.pipe() if feed else (None, None)
        given, self._feed = pipe
        try:
            with tempfile.TemporaryFile() as file:
                file.write(json.dumps(request).encode())
                file.flush()
                self._zygote.send([file.fileno(), result, status.fileno(), *([given] if given is not None else [])])
        except BaseException:
            self._release()
            raise
        finally:
            for descriptor in (result, given):
                if descriptor is not None:
                    os.close(descriptor)
            status.close()
        self._limit = seconds
        self._clock: ProgramClock | None = None
        self._buffer, self._read, self._complete, self._ended = bytearray(), 0, False, ""

    def seconds(self) -> float:
        """The seconds that the program had."""
        return self._started().seconds()

    def line(self, seconds: float | None) -> bytes | None:
        """The next line of the reply; None when the program has ended or was late, which ends it."""
        limit = self._limit if seconds is None else min(self._limit, self.seconds() + seconds)
        scanned = 0
        while (end := self._buffer.find(b"\n", scanned)) < 0:
            scanned = len(self._buffer)
            if not self._more(limit, _REPLY_CAP):
                return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def rest(self, cap: int) -> bytes:
        """All that is left of the reply; the block that reaches ``cap`` bytes is the last one read."""
        while self._more(self._limit, cap):
            continue
        return bytes(self._buffer)

    def send(self, line: bytes) -> None:
        """Write a line to the program; one that does not read is late."""
        assert self._feed is not None  # only asked of runs with a feed
        data = memoryview(line + b"\n")
        os.set_blocking(self._feed, False)
        try:
            while data and self._ready(self._feed, select.POLLOUT, self._limit):
                data = data[os.write(self._feed, data) :]
        except BrokenPipeError:
            return

    def status(self) -> str:
        """How the program ended: Exit with its code, Killed or Timeout. It ends now, if it has not."""
        if not self._ended:
            # A reply that is complete comes from a program that is about to end; any other is not waited for.
            self._started()
            if not (self._complete and self._ready(self._status.fileno(), select.POLLIN, self._limit)):
                self._status.shutdown(socket.SHUT_WR)
            self._ended = self._told()
        return self._ended

    def close(self) -> None:
        """End the program, if it still runs."""
        try:
            self.status()
        finally:
            self._release()

    def _release(self) -> None:
        os.close(self._result)
        self._status.close()
        if self._feed is not None:
            os.close(self._feed)

    def _more(self, limit: float, cap: int) -> bool:
        """Read a block; False at the end, at the cap, or when the program has had its seconds."""
        if self._read >= cap or not self._ready(self._result, select.POLLIN, limit):
            return False
        block = os.read(self._result, 1 << 16)
        self._buffer += block
        self._read += len(block)
        self._complete = not block
        return not self._complete

    def _ready(self, descriptor: int, event: int, limit: float) -> bool:
        """Whether a descriptor is ready before the program has had ``limit`` seconds."""
        clock = self._started()
        clock.resume()
        poll = select.poll()
        poll.register(descriptor, event)
        while True:
            left = limit - clock.seconds()
            if poll.poll(min(max(left, 0.0), WINDOW) * 1000):
                return True
            if left <= 0:
                return False

    def _started(self) -> ProgramClock:
        """The clock of the program, which its supervisor starts."""
        if self._clock is None:
            self._clock = ProgramClock(int(self._told()))
        return self._clock

    def _told(self) -> str:
        """The next line of the supervisor: first the number of the program's process, then how it ended."""
        data = _read(self._status.fileno(), time.monotonic() + _GRACE, 64, until=b"\n")
        if not data:
            self._zygote.close()
            raise RunError("the supervisor of an untrusted program did not answer; the zygote was ended")
        return data.decode().strip()


class _Zygote:
    """An interpreter that programs are forked from, started on first use and again after a failure or a fork."""

    def __init__(self, *, packages: bool) -> None:
        self._packages = packages
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._layers: tuple[str, ...] = ()
        self._owner = 0

    def layers(self) -> tuple[str, ...]:
        with self._lock:
            self._ensure()
            return self._layers

    def close(self) -> None:
        with self._lock:
            self._stop()

    def send(self, descriptors: list[int]) -> None:
        """Start a program."""
        with self._lock:
            channel = self._ensure()
            try:
                socket.send_fds(channel, [b"p"], descriptors)
            except OSError:
                self._stop()
                socket.send_fds(self._ensure(), [b"p"], descriptors)

    def _ensure(self) -> socket.socket:
        if self._channel is not None and self._owner == os.getpid():
            return self._channel
        self._channel = self._process = None
        ours, theirs = socket.socketpair()
        package = Path(__file__).parents[1]
        arguments = [str(theirs.fileno()), str(package), str(package / "sandbox")]
        arguments.append("packages" if self._packages else "")
        # -P -s -S and a fresh environment are what -I means, but -I would also ignore PYTHONHASHSEED, and a program
        # that walks a set must behave the same in every process.
        if self._packages:
            interpreter = [sys.executable, "-P", "-s"]
        else:
            interpreter = [getattr(sys, "_base_executable", sys.executable), "-P", "-s", "-S"]
        self._process = subprocess.Popen(
            [*interpreter, "-c", _BOOT, *arguments],
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        hello = _read(ours.fileno(), time.monotonic() + 60.0, 1 << 16, until=b"\n")
        if not hello.endswith(b"\n"):
            ours.close()
            self._process.kill()
            raise RunError("the interpreter for untrusted programs does not start")
        self._channel, self._owner = ours, os.getpid()
        self._layers = tuple(json.loads(hello))
        return ours

    def _stop(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
        self._channel = self._process = None


def _read(descriptor: int, deadline: float, cap: int, until: bytes = b"") -> bytes:
    """Read to the end, to the deadline, to ``until`` or to ``cap`` bytes, whichever is first."""
    blocks = bytearray()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(blocks) < cap and not (until and blocks.endswith(until)):
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            break
        block = os.read(descriptor, 1 if until else min(1 << 16, cap - len(blocks)))
        if not block:
            break
        blocks += block
    return bytes(blocks)


_ZYGOTES = {packages: _Zygote(packages=packages) for packages in (False, True)}
atexit.register(close)
