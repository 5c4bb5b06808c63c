"""The durable record of engine replies: a run that was killed replays it and goes on.

A key names a request by what it is (problem, kind, the node it starts from, how many like it came before), never by
when it came, so replay does not depend on the order in which tasks happened to run. Two strategies that ask the same of
the same problem have the same key, and a journal that they share answers the second from the first.

Replies hold texts, counts and scores, no token ids, and are read back from the file: memory holds a key and a place.
"""

import hashlib
import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from prmkit.errors import InputError
from prmkit.trees_io import repair_lines


def request_key(problem_id: str, kind: str, parts: Sequence[str], ordinal: int) -> str:
    """The name of a request: 16 characters, 96 bits of a hash.

    Args:
        problem_id: names the problem within the run.
        kind: what is asked, with its numbers.
        parts: the nodes it is asked of.
        ordinal: 1 for the first request like it, 2 for the second.
    """
    text = "\x1f".join([problem_id, kind, str(ordinal), *parts])
    return urlsafe_b64encode(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:12]).decode()


class Journal:
    """Replies by key, on disk; without a path nothing is kept.

    Args:
        path: the journal file; replies already in it are replayed, and a torn last line is cut off.

    Raises:
        InputError: with ``file:line``, the file is no journal.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._places: dict[str, tuple[int, int]] = {}
        self._file: int | None = None
        self._end = 0
        if path is not None:
            repair_lines(path)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            self._index(path)

    def get(self, key: str) -> dict[str, Any] | None:
        """The recorded reply, if there is one."""
        place = self._places.get(key)
        if place is None or self._file is None:
            return None
        offset, size = place
        reply: dict[str, Any] = orjson.loads(os.pread(self._file, size, offset))
        del reply["k"]
        return reply

    def put(self, key: str, reply: dict[str, Any]) -> None:
        """Record a reply; it is with the operating system when this returns, and outlives a kill of the process."""
        if self._file is None:
            return
        line = orjson.dumps({"k": key, **reply}, option=orjson.OPT_APPEND_NEWLINE)
        view = memoryview(line)
        while view:
            view = view[os.write(self._file, view) :]
        self._places[key] = (self._end, len(line))
        self._end += len(line)

    def close(self) -> None:
        """Close the file; what it holds stays."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _index(self, path: Path) -> None:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    key = orjson.loads(line)["k"]
                except (orjson.JSONDecodeError, KeyError, TypeError):
                    raise InputError("not a reply of a journal", where=f"{path}:{number}", got=line[:60]) from None
                self._places[key] = (self._end, len(line))
                self._end += len(line)
