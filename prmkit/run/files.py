"""Files of a run: written whole or not at all, never in place of what is there unasked, and known by their hash."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from prmkit.errors import InputError


def write_whole(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, as ``write_whole`` does."""
    write_whole(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, as ``write_whole`` does; what is no text, such as a torn name, becomes question marks."""
    write_whole(path, text.encode(errors="replace"))


def refuse_existing(file: Path, *, overwrite: bool) -> None:
    """Called before any work. Raises InputError if the file is there and may not be replaced."""
    if file.exists() and not overwrite:
        raise InputError("the file exists", where=file, cure="Give --overwrite or another --out.")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write below ``path`` into one line.

    Raises:
        InputError: the disk is full, or the place must not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError("the disk is full", where=path, cure="Make room, then go on with --resume.") from None
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR):
            raise InputError(f"cannot write ({error.strerror})", where=path, cure="Choose another --out.") from None
        raise


def cache_folder() -> Path:
    """Where files are kept that can be made or fetched again: ``$PRMKIT_CACHE``, by default ``~/.cache/prmkit``."""
    return Path(os.environ.get("PRMKIT_CACHE") or Path.home() / ".cache" / "prmkit")


def sha256(path: Path) -> str:
    """The hash of a file, or of a folder: of the names and hashes of its files.

    Raises:
        InputError: there is neither.
    """
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(child for child in path.rglob("*") if child.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()}\0{sha256(file)}\n".encode())
        return digest.hexdigest()
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read an input ({error.strerror})", where=path, cure="Check the path.") from None
