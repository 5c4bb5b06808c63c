"""Files and folders of a run: written whole or not at all, never in place of what is there unasked, known by their
hash."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from prmkit.errors import InputError


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Where the block shall write a file that takes the place of ``path`` when the block ends; for writers of paths.

    Until then ``path`` stays as it is; if the block fails, nothing is left of the new file. The folder of ``path`` is
    made, and the file is on the disk before it gets its name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """An empty file for the block to write to, which takes the place of ``path`` as ``partial_file`` does."""
    with partial_file(path) as partial, partial.open("wb") as file:
        yield file


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder for the block to fill, which becomes ``path`` when the block ends, and is removed if it fails.

    Raises:
        InputError: ``path`` exists, before the block or after it.
    """
    refuse_existing(path)
    partial = path.with_name(path.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    partial.mkdir(parents=True)
    try:
        yield partial
        refuse_existing(path)
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all; its folder is made."""
    with whole_file(path) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, as ``write_whole`` does."""
    write_whole(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, as ``write_whole`` does; what is no text, such as a torn name, becomes question marks."""
    write_whole(path, text.encode(errors="replace"))


_OF_A_RUN = {"run.yaml", "metrics.json", "trees.jsonl", "costs.jsonl", "journal.jsonl", "history.csv"}


def refuse_existing(path: Path, *, overwrite: bool | None = None) -> None:
    """Called before any work.

    Args:
        path: of a file or folder to be written.
        overwrite: whether what is there may be replaced; None where nobody can ask for that.

    Raises:
        InputError: the file or folder is there and may not be replaced, or it is what a run consists of.
    """
    if overwrite and path.name in _OF_A_RUN and (path.parent / "run.yaml").is_file():
        raise InputError("the file belongs to a run", where=path, cure="Choose another name.")
    if path.exists() and not overwrite:
        cure = "Choose another name or remove it." if overwrite is None else "Give --overwrite or another --out."
        raise InputError(f"the {'folder' if path.is_dir() else 'file'} exists", where=path, cure=cure)


@contextmanager
def writing(path: Path, *, resumes: bool = True, elsewhere: str = "Choose another --out.") -> Iterator[None]:
    """Turn the operating system's refusals to write below ``path`` into one line.

    Args:
        path: a file or folder.
        resumes: whether what is written goes on with ``--resume``.
        elsewhere: how to choose another place.

    Raises:
        InputError: the disk is full, or the place must not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            cure = "Make room, then go on with --resume." if resumes else f"Make room. {elsewhere}"
            raise InputError("the disk is full", where=path, cure=cure) from None
        if error.errno in _REFUSALS and _concerns(error, path):
            raise InputError(f"cannot write ({error.strerror})", where=path, cure=elsewhere) from None
        raise


_REFUSALS = (errno.EEXIST, errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)


def _concerns(error: OSError, path: Path) -> bool:
    """Whether an error is of ``path``, what is below or above it, or a file beside it that is to become it; one that
    names no file is.
    """
    place = os.path.abspath(path)
    names = [os.path.abspath(os.fsdecode(name)) for name in (error.filename, error.filename2) if name is not None]
    return not names or any(name.startswith(place) or place.startswith(name + os.sep) for name in names)


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
