import hashlib
import os
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.run import hashes
from prmkit.run.hashes import hash_files


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The files that were read for their hash, in a cache of the test's own, where no file is too young."""
    names: list[str] = []
    real = hashes._hash
    monkeypatch.setattr(hashes, "_hash", lambda file, told: names.append(file.name) or real(file, told))
    monkeypatch.setattr(hashes, "_SETTLED", -1.0)
    monkeypatch.setattr(hashes, "_LARGE", 10)
    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path / "cache"))
    return names


def write(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def test_a_large_file_is_read_once_and_a_small_one_each_time(tmp_path: Path, read: list[str]) -> None:
    files = [write(tmp_path / "large", b"x" * 100), write(tmp_path / "small", b"y")]
    expected = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    assert hash_files(files, "m") == hash_files(files, "m") == expected
    assert sorted(read) == ["large", "small", "small"]


def test_a_file_of_the_same_size_and_date_is_another_one(tmp_path: Path, read: list[str]) -> None:
    file = write(tmp_path / "weights", b"a" * 100)
    before = file.stat()
    first = hash_files([file], "m")[file]
    with file.open("r+b") as stream:  # the same inode
        stream.write(b"b")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns, file.stat().st_ino) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )
    assert hash_files([file], "m")[file] != first


def test_a_file_that_was_just_written_is_not_remembered(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "_SETTLED", 60.0)
    file = write(tmp_path / "young", b"a" * 100)
    assert hash_files([file], "m") == hash_files([file], "m")
    assert read == ["young", "young"]


def test_a_note_that_is_torn_or_a_cache_that_cannot_be_written_only_costs_time(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "weights", b"a" * 100)
    expected = hash_files([file], "m")
    (note,) = (tmp_path / "cache" / "hashes").iterdir()
    for content in (b"", b"[]", b"{}", b"null"):
        note.write_bytes(content)
        assert hash_files([file], "m") == expected
    write(tmp_path / "no folder", b"")
    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path / "no folder"))
    assert hash_files([file], "m") == expected
    assert len(read) == 6


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone: cannot read the file \(No such file"):
        hash_files([tmp_path / "gone"], "m")
