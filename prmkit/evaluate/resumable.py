"""What a long evaluation has finished, item by item, so that a killed one goes on where it was."""

import threading
from pathlib import Path
from typing import Any

from prmkit.trees_io import append_lines, read_lines, repair_lines


class Finished:
    """Records by the number of their item, in a file of JSON lines; without a file, none is kept."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[int, dict[str, Any]] = {}
        self._lock = threading.Lock()
        if file is not None and file.exists():
            repair_lines(file)
            self._known = {record["item"]: record for _, record in read_lines(file)}

    def get(self, item: int) -> dict[str, Any] | None:
        """The record of an item that an earlier run finished; None for another."""
        return self._known.get(item)

    def put(self, item: int, record: dict[str, Any]) -> None:
        """Keep the record of an item."""
        if self._file is not None:
            with self._lock:
                append_lines(self._file, [{"item": item, **record}])
