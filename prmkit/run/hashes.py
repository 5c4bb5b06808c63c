"""SHA-256 of large files, which is computed once: what a start would otherwise spend minutes on, time and again.

A hash is remembered in prmkit's cache under what the file system says of the file: path, device, inode, size, and the
times of its last changes. The last of them, that of the inode, is set by the system and by nobody else, so that a file
which was written over is hashed anew even if it got its old size and date back. A file that was changed in the last
seconds is never remembered, for clocks of file systems are coarse. The hash is of every byte: quick hashes of samples
or headers miss an edited tensor, and faster functions than SHA-256, which processors compute at 1 GB/s, save little.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import orjson

from prmkit.errors import InputError
from prmkit.run.activity import busy
from prmkit.run.files import cache_folder, write_whole

_LARGE = 1 << 20
"""Bytes from which on remembering is cheaper than hashing."""

_SETTLED = 3.0
"""Seconds after which a change would show in the times of a file."""

_PIECE = 1 << 23
_THREADS = 8


def hash_files(files: Iterable[Path], what: str) -> dict[Path, str]:
    """The SHA-256 of files, those of large ones remembered from the last time, several at once.

    Args:
        files: any that can be read.
        what: they are, for who watches.

    Raises:
        InputError: one cannot be read.
    """
    found: dict[Path, str] = {}
    unknown: list[Path] = []
    for file in files:
        known = _remembered(file)
        if known is None:
            unknown.append(file)
        else:
            found[file] = known
    if not unknown:
        return found
    total, done = max(sum(_stat(file).st_size for file in unknown), 1), 0
    with busy(f"hashing {what}") as activity, ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:

        def read(size: int) -> None:
            nonlocal done
            done += size  # of several threads at once: at worst the share is a little low
            activity.share = min(done / total, 1.0)

        found.update(zip(unknown, pool.map(lambda file: _hash(file, read), unknown), strict=True))
    return found


def _hash(file: Path, read: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    before = _identity(file)
    try:
        with file.open("rb", buffering=0) as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
                read(len(piece))
    except OSError as error:
        raise _unreadable(file, error) from None
    found = digest.hexdigest()
    settled = time.time_ns() - max(before["mtime"], before["ctime"]) > _SETTLED * 1e9
    if before["size"] >= _LARGE and settled and _identity(file) == before:
        with suppress(OSError):  # a cache that cannot be written costs time, and nothing else
            write_whole(_note(file), orjson.dumps({"file": str(file.resolve()), **before, "sha256": found}))
    return found


def _remembered(file: Path) -> str | None:
    identity = _identity(file)
    if identity["size"] < _LARGE:
        return None
    try:
        note = orjson.loads(_note(file).read_bytes())
        same = note["file"] == str(file.resolve()) and all(note[key] == value for key, value in identity.items())
        return str(note["sha256"]) if same else None
    except (OSError, ValueError, LookupError, TypeError):  # none, or not ours
        return None


def _note(file: Path) -> Path:
    name = hashlib.sha256(os.fsencode(file.resolve())).hexdigest()
    return cache_folder() / "hashes" / f"{name[:40]}.json"


def _identity(file: Path) -> dict[str, int]:
    stat = _stat(file)
    return {
        "device": stat.st_dev,
        "inode": stat.st_ino,
        "size": stat.st_size,
        "mtime": stat.st_mtime_ns,
        "ctime": stat.st_ctime_ns,
    }


def _stat(file: Path) -> os.stat_result:
    try:
        return file.stat()
    except OSError as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: OSError) -> InputError:
    return InputError(f"cannot read the file ({error.strerror})", where=file)
