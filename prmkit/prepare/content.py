"""What a corpus holds, in a word: a hash of its files, or the revision of a data set of the hub."""

from pathlib import Path

from prmkit.rows_io import HUB
from prmkit.run.activity import busy
from prmkit.run.files import sha256


def content_of(path: str) -> str:
    """What tells the content at a path from every other.

    Raises:
        InputError: there is nothing.
    """
    if path.startswith(HUB):
        return path
    with busy(f"looking at {path}"):
        return sha256(Path(path))
