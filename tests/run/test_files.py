import errno
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.run.files import sha256, write_json, write_text, write_whole, writing


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "cannot write"), (errno.EROFS, "cannot")]
)
def test_what_the_system_refuses_is_one_line(number: int, message: str) -> None:
    with pytest.raises(InputError, match=f"here: {message}"), writing(Path("here")):
        raise OSError(number, "refused")


def test_other_errors_of_the_system_stay_what_they_are() -> None:
    with pytest.raises(OSError, match="broken"), writing(Path("here")):
        raise OSError(errno.EPIPE, "broken")


def test_the_hash_of_a_folder_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "file").write_text("content")
    assert sha256(tmp_path / "one") == sha256(tmp_path / "two")
    (tmp_path / "two" / "sub" / "file").rename(tmp_path / "two" / "sub" / "other")
    assert sha256(tmp_path / "one") != sha256(tmp_path / "two")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "deep" / "file"
    write_whole(file, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(file, b"new")
    assert [path.name for path in file.parent.iterdir()] == ["file"]
    assert file.read_bytes() == b"old"


def test_json_ends_in_a_newline_and_text_that_is_none_is_written_all_the_same(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [1, None]})
    assert (tmp_path / "a.json").read_text() == '{\n  "a": [\n    1,\n    null\n  ]\n}\n'
    write_text(tmp_path / "a.txt", "torn \udcff, whole é")
    assert (tmp_path / "a.txt").read_bytes() == "torn ?, whole é".encode()
