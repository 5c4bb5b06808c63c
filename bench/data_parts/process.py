"""A command as a process of its own: its time, its CPU seconds, and the memory of the largest process that it was.

    python process.py COST.json COMMAND ...

What starts a process counts in what the system says of its memory, so a process as small as this one does.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LOOK = 0.25
"""Seconds between two looks at the processes. Linux keeps the most that each has held, so little is missed."""

_HELD = re.compile(rb"(VmHWM|RssAnon):\s+(\d+) kB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a command took: ``seconds`` by the clock, ``cpu`` seconds of all its processes, ``peak_mb`` of the largest
    of them, mapped files included, ``own_mb`` without them as far as looks now and then can tell, and what it
    ``printed``."""

    seconds: float
    cpu: float
    peak_mb: float
    own_mb: float
    printed: str

    @property
    def last_line(self) -> str:
        """The last line that it printed."""
        return self.printed.strip().rpartition("\n")[2]


def measured(command: Sequence[str | Path], environment: Mapping[str, str]) -> Cost:
    """Run a command to its end. Ends this program with what the command complained of, if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cost.json"
        starter = (sys.executable, "-I", __file__, file, *command)
        done = subprocess.run(starter, env=environment, capture_output=True, text=True, errors="replace")
        if done.returncode:
            complaint = done.stderr.replace("\r", "\n")[-3000:]
            sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{complaint}")
        return Cost(**json.loads(file.read_text()), printed=done.stdout)


def main() -> None:
    file, *command = sys.argv[1:]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        Path(file).write_text(json.dumps(_watched(process)))
    finally:
        if process.returncode is None:  # Ctrl-C reaches this process alone
            os.killpg(process.pid, signal.SIGKILL)
    sys.exit(process.returncode)


def _watched(process: subprocess.Popen[bytes]) -> dict[str, float]:
    """What a process took, once it has ended."""
    start = looked = time.perf_counter()
    peak = own = 0
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            return {
                "seconds": time.perf_counter() - start,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak_mb": max(peak, usage.ru_maxrss) * 1024 / 1e6,
                "own_mb": own * 1024 / 1e6,
            }
        if time.perf_counter() - looked > _LOOK:
            looked = time.perf_counter()
            for most, now in _held(process.pid):
                peak, own = max(peak, most), max(own, now)
        time.sleep(0.02)


def _held(session: int) -> Iterator[tuple[int, int]]:
    """Of each process of a session, the most kB that it has held, and those that it holds now and no file has."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # The name of a program, in parentheses, may hold anything; the fourth field behind it is the session.
            if int((folder / "stat").read_bytes().rpartition(b")")[2].split()[3]) != session:
                continue
            found = {name: int(kb) for name, kb in _HELD.findall((folder / "status").read_bytes())}
        except (OSError, IndexError):  # it has just ended
            continue
        yield found.get(b"VmHWM", 0), found.get(b"RssAnon", 0)


if __name__ == "__main__":
    main()
