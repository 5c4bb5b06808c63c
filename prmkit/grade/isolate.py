"""Untrusted programs run in fresh processes behind walls; only the values they return come back.

The verdict is never made where the program runs: the caller compares returned values with expected ones in this
process, so a program that prints a verdict, exits early or forges its reply can only ever return values.
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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prmkit.errors import InputError, RunError

_REPLY_CAP = 16 << 20
"""Bytes of reply that are read from one program; what is over is cut."""
_GRACE = 10.0
"""Seconds that a supervisor may be late (a loaded machine) before the zygote counts as broken and is replaced."""

_BOOT = """
import sys, types
for name, path in (("prmkit", sys.argv[2]), ("prmkit.grade", sys.argv[3])):
    module = types.ModuleType(name)
    module.__path__ = [path]
    sys.modules[name] = module
from prmkit.grade.zygote import main
main(int(sys.argv[1]))
"""
"""Imports the zygote without running the package's own __init__: the bare interpreter has no site packages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one call of a program came to: exactly one of the two is set.

    ``value_json`` is JSON text, at most 1 MiB, written by the untrusted side. ``error`` is the type name of the
    exception, or Timeout, Exit (the program ended its process), Killed (by a signal: memory, CPU), BadReply,
    OutputTooLarge.
    """

    value_json: str | None = None
    error: str | None = None


def run_calls(
    program: str,
    entry_point: str,
    inputs: Sequence[str],
    *,
    seconds: float = 4.0,
    memory_mb: int = 1024,
    unsafe_local: bool = False,
) -> list[Outcome]:
    """The outcome of ``entry_point(*arguments)`` for each input, all called in one fresh process, in order.

    When this returns, every process of the program is dead and its temporary folder is gone. Safe to call from many
    threads at once.

    Args:
        program: Python source; its top level runs once, before the first call.
        entry_point: the function to call.
        inputs: JSON text of the argument list of each call.
        seconds: wall-clock limit of the whole program; calls not yet answered then are Timeout.
        memory_mb: address space of each process of the program.
        unsafe_local: run even where this machine offers neither namespaces nor Landlock.

    Raises:
        InputError: the machine offers neither, and ``unsafe_local`` is not set.
        RunError: the zygote does not start or does not answer.
    """
    _require_walls(unsafe_local)
    request = {
        "program": program,
        "entry_point": entry_point,
        "inputs": list(inputs),
        "seconds": seconds,
        "memory_mb": memory_mb,
    }
    data, status = _zygote.run(json.dumps(request).encode(), seconds + _GRACE)
    return _outcomes(data, status, len(inputs))


def layers() -> tuple[str, ...]:
    """The walls that are in force on this machine.

    rlimits, session, no_new_privs; the namespaces net, ipc, pid; root (a private file system that shows only the
    system and the interpreter, read-only); uid (a user of its own for every program); landlock<version>.
    """
    return _zygote.layers()


def close() -> None:
    """End the zygote; the next run starts another."""
    _zygote.close()


def _require_walls(unsafe_local: bool) -> None:
    found = layers()
    if not unsafe_local and "net" not in found and not any(layer.startswith("landlock") for layer in found):
        raise InputError(
            "no isolation for untrusted programs on this machine",
            got=", ".join(found),
            expected="Linux namespaces or Landlock",
            cure="Allow unprivileged user namespaces, use a container that has them, or consent with unsafe_local.",
        )


def _outcomes(data: bytes, status: str, count: int) -> list[Outcome]:
    """Parse the untrusted reply: whole lines, in order, at most ``count``; ``status`` stands for the missing ones."""
    outcomes: list[Outcome] = []
    for line in data.split(b"\n")[:-1][:count]:
        try:
            kind, text = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            kind, text = None, None
        if kind == "value" and isinstance(text, str):
            outcomes.append(Outcome(value_json=text))
        elif kind == "error" and isinstance(text, str):
            outcomes.append(Outcome(error=text[:80]))
        else:
            status = "BadReply"
            break
    return outcomes + [Outcome(error=status)] * (count - len(outcomes))


class _Zygote:
    """The one bare interpreter of this process, started on first use and again after a failure or a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._layers: tuple[str, ...] = ()
        self._owner = 0

    def layers(self) -> tuple[str, ...]:
        with self._lock:
            self._ensure()
            return self._layers

    def run(self, request: bytes, seconds: float) -> tuple[bytes, str]:
        """The raw reply of one program, and how it ended."""
        result_read, result_write = os.pipe()
        status_read, status_write = os.pipe()
        try:
            with tempfile.TemporaryFile() as file:
                file.write(request)
                file.flush()
                try:
                    self._send([file.fileno(), result_write, status_write])
                finally:
                    os.close(result_write)
                    os.close(status_write)
            deadline = time.monotonic() + seconds
            data = _read(result_read, deadline, _REPLY_CAP)
            status = _read(status_read, deadline, 64)
        finally:
            os.close(result_read)
            os.close(status_read)
        if not status:
            self.close()
            raise RunError("the supervisor of an untrusted program did not answer; the zygote was ended")
        return data, status.decode()

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _send(self, descriptors: list[int]) -> None:
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
        arguments = [str(theirs.fileno()), str(package), str(package / "grade")]
        # -P -s -S and a fresh environment are what -I means, but -I would also ignore PYTHONHASHSEED, and a program
        # that walks a set must behave the same in every process.
        self._process = subprocess.Popen(
            [getattr(sys, "_base_executable", sys.executable), "-P", "-s", "-S", "-c", _BOOT, *arguments],
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
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
        block = os.read(descriptor, min(1 << 16, cap - len(blocks)))
        if not block:
            break
        blocks += block
    return bytes(blocks)


_zygote = _Zygote()
atexit.register(close)
