"""The durable record of engine replies: a run that was killed replays it and goes on.

A key names a request by what it is (problem, kind, steps of the path, how many like it came before), never by when it
came, so replay does not depend on the order in which tasks happened to run.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prmkit.trees_io import append_lines, read_lines, repair_lines


def request_key(problem_id: str, kind: str, steps: Sequence[str], ordinal: int) -> str:
    """The name of a request: 32 hexadecimal digits."""
    text = "\x1f".join([problem_id, kind, str(ordinal), *steps])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def request_seed(run_seed: int, key: str) -> int:
    """The random seed of a request, below 2**63: fixed by the run seed and the key alone."""
    return int.from_bytes(hashlib.sha256(f"{run_seed}:{key}".encode()).digest()[:8], "big") >> 1


class Journal:
    """Replies by key, in memory and, if a path is given, on disk.

    Args:
        path: the journal file; replies already in it are replayed, and a torn last line is cut off.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._replies: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            repair_lines(path)
            self._replies = {record["key"]: record["reply"] for _, record in read_lines(path)}

    def get(self, key: str) -> dict[str, Any] | None:
        """The recorded reply, if there is one."""
        return self._replies.get(key)

    def put(self, key: str, reply: dict[str, Any]) -> None:
        """Record a reply; it is on disk when this returns."""
        if self._path is not None:
            append_lines(self._path, [{"key": key, "reply": reply}])
