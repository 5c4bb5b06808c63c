"""What is said while a corpus is read: how much of it has been read, how many rows, how fast."""

from collections.abc import Iterator
from contextlib import contextmanager

from prmkit.row_files import Meter
from prmkit.rows_io import bytes_on_disk
from prmkit.run.activity import Activity, busy


class Reading:
    """The reading of the rows at a path. Whoever reads them hands ``meter`` to ``rows_io.rows_at``, or counts the bytes
    itself, and says from time to time how many rows have come.
    """

    def __init__(self, activity: Activity, path: str) -> None:
        self.meter = Meter()
        self._activity, self._bytes = activity, bytes_on_disk(path)

    def note(self, rows: int, quarantined: int, read: int | None = None) -> None:
        """Say how it stands.

        Args:
            rows: that have come.
            quarantined: how many of them are bad.
            read: bytes on the disk that have been read, by default what the meter says.
        """
        read = self.meter.read if read is None else read
        figures = {"rows": f"{rows:,}"}
        if read:
            figures["MB/s"] = f"{read / 1e6 / max(self._activity.seconds, 1e-3):.1f}"
        if quarantined:
            figures["quarantined"] = f"{quarantined:,}"
        self._activity.figures = figures
        if self._bytes:
            self._activity.share = min(1.0, read / self._bytes)


@contextmanager
def reading(path: str) -> Iterator[Reading]:
    """Say that the rows at a local path or on the hub are read within, to all who watch this process."""
    with busy(f"reading {path}") as activity:
        yield Reading(activity, path)
