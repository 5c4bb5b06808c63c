"""The walls of this machine, and who lives behind them."""

import os
from pathlib import Path

import pytest

from prmkit.sandbox.isolate import layers


def needs(*walls: str) -> None:
    missing = set(walls) - {layer.rstrip("0123456789") for layer in layers()}
    if missing:
        pytest.skip(f"this machine offers no {', '.join(sorted(missing))}")


def programs_alive() -> list[int]:
    """Processes of the users that programs run as, below this process or orphaned; other suites run programs too."""
    parents, programs = {}, []
    for file in Path("/proc").glob("[0-9]*/status"):
        try:
            status = dict(line.split(":", 1) for line in file.read_text().splitlines())
        except OSError:
            continue
        process = int(file.parent.name)
        parents[process] = int(status["PPid"])
        if 1 << 30 <= int(status["Uid"].split()[0]) < (1 << 30) + (1 << 22):
            programs.append(process)
    return [process for process in programs if parents[process] == 1 or os.getpid() in ancestors(process, parents)]


def ancestors(process: int, parents: dict[int, int]) -> list[int]:
    found = []
    while process in parents:
        process = parents[process]
        found.append(process)
    return found
