"""A cell at work: its command in a process of its own, once, whoever asks for it."""

import fcntl
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import orjson

from prmkit.errors import RunError
from prmkit.run.ranks import this_process
from prmkit.study.grid import Cell

_PATIENCE = 30.0
"""Seconds that an interrupted command has to write down what it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellOutcome:
    """What became of a cell.

    ``found``: it was done before. ``reason``: why it failed, the last line that it said; or which cell it lacked.
    """

    cell: str
    state: Literal["done", "found", "failed", "skipped"]
    seconds: float = 0.0
    reason: str = ""

    @property
    def good(self) -> bool:
        """Whether cells that wait for it can be run."""
        return self.state in ("done", "found")


class Processes:
    """The commands that run now, so that all of them can be interrupted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.interrupted = False

    @contextmanager
    def running(self, start: "Callable[[], subprocess.Popen[bytes]]") -> Iterator["subprocess.Popen[bytes] | None"]:
        """Start a process and count it among them while the block lasts; None once all were interrupted."""
        with self._lock:  # an interrupt comes before the start or finds the process: none is missed in between
            process = None if self.interrupted else start()
            if process is not None:
                self._running.add(process)
        try:
            yield process
        finally:
            with self._lock:
                self._running -= {process}

    def interrupt(self) -> None:
        """Ask all to write down what they did and end; those that do not are killed."""
        with self._lock:
            self.interrupted = True
        for process in self._now():
            process.send_signal(signal.SIGINT)
        end = time.monotonic() + _PATIENCE
        while self._now() and time.monotonic() < end:
            time.sleep(0.05)
        for process in self._now():
            process.kill()

    def _now(self) -> list["subprocess.Popen[bytes]"]:
        with self._lock:
            return list(self._running)


def run_cell(cell: Cell, processes: Processes | None = None, *, threads: int | None = None) -> CellOutcome:
    """Run a cell that is not done yet, and keep what it prints.

    Its command goes on with what an earlier, unfinished one left. Where another process works at the cell, this one
    waits for it. The command has a session of its own and holds the lock too, so that it stays locked if this process
    is killed.

    Args:
        cell: what to run; the cells that it waits for are done.
        processes: gets the command while it runs.
        threads: of the arithmetic libraries, where the environment does not say.
    """
    if not this_process().first:
        return _follow(cell)
    cell.folder.parent.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    if threads is not None:
        environment.setdefault("OMP_NUM_THREADS", str(threads))
    processes = processes or Processes()
    interrupted = CellOutcome(cell=cell.name, state="failed", reason="interrupted")
    with cell.lock.open("ab") as lock:
        while not _locked(lock):
            if processes.interrupted:
                return interrupted
            time.sleep(0.1)
        if cell.done:
            return CellOutcome(cell=cell.name, state="found", seconds=record_of(cell)["seconds"])
        start = time.monotonic()
        printed = cell.folder.with_name(f"{cell.name}.printed")
        with cell.log.open("ab") as log, printed.open("wb") as out:
            log.write(f"$ {shown(cell)}\n".encode())
            log.flush()

            def start_command() -> subprocess.Popen[bytes]:
                return subprocess.Popen(
                    _command(cell),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=log,
                    env=environment,
                    pass_fds=(lock.fileno(),),
                    start_new_session=True,
                )

            with processes.running(start_command) as process:
                if process is None:
                    return interrupted
                _, status, usage = os.wait4(process.pid, 0)
                code = process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - start
        if code:
            return CellOutcome(cell=cell.name, state="failed", seconds=seconds, reason=_last_line(cell.log, code))
        try:
            result = orjson.loads(printed.read_bytes())
        except orjson.JSONDecodeError:
            return CellOutcome(cell=cell.name, state="failed", seconds=seconds, reason="it printed no JSON")
        spent = {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime}
        record = {"command": shown(cell), **spent, "result": result}
        printed.write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
        printed.replace(cell.record)
        return CellOutcome(cell=cell.name, state="done", seconds=seconds)


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _follow(cell: Cell) -> CellOutcome:
    """The command of a process that works together with others, of which the first keeps lock, log and record."""
    code = subprocess.run(_command(cell), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False).returncode
    return CellOutcome(cell=cell.name, state="failed" if code else "done", reason=f"exit code {code}" if code else "")


def _command(cell: Cell) -> list[str]:
    return [sys.executable, "-m", "prmkit.commands", *cell.words, "--json"]


def shown(cell: Cell) -> str:
    """The command of a cell, as a user types it."""
    return shlex.join(["prmkit", *cell.words])


def record_of(cell: Cell) -> Mapping[str, Any]:
    """The record of a cell that is done: ``command``, ``seconds`` and ``cpu_seconds`` (its and its children's), and
    ``result``, what it printed.

    Raises:
        RunError: the record is broken.
    """
    try:
        record: dict[str, Any] = orjson.loads(cell.record.read_bytes())
        float(record["seconds"]), record["result"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise RunError(
            f"{cell.record}: the record of the cell is broken. Remove it, and the cell is run again."
        ) from None
    return record


def _last_line(log: Path, code: int) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    said = lines[-1].strip() if lines and not lines[-1].startswith("$ ") else "it said nothing"
    return said if code > 0 else f"killed by signal {-code}; {said}"
