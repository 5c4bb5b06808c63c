import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.run.files import (
    partial_file,
    refuse_existing,
    sha256,
    whole_file,
    whole_folder,
    write_json,
    write_text,
    write_whole,
    writing,
)


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "cannot write"), (errno.EROFS, "cannot")]
)
def test_what_the_system_refuses_is_one_line(number: int, message: str) -> None:
    with pytest.raises(InputError, match=f"here: {message}"), writing(Path("here")):
        raise OSError(number, "refused")


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"), writing(tmp_path / "file" / "a"):
        write_whole(tmp_path / "file" / "a", b"")


def test_other_errors_of_the_system_stay_what_they_are() -> None:
    with pytest.raises(OSError, match="broken"), writing(Path("here")):
        raise OSError(errno.EPIPE, "broken")


def test_a_name_that_cannot_be_made_is_refused_and_an_unreadable_input_is_not_called_a_place_to_write(
    tmp_path: Path,
) -> None:
    too_long, taken = tmp_path / ("x" * 300), tmp_path / "file"
    taken.write_text("")
    for path in (too_long, taken / "below"):
        with pytest.raises(InputError, match="cannot write"), writing(path):
            write_whole(path / "a", b"")
    with pytest.raises(PermissionError), writing(tmp_path / "run"):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "corpus.jsonl"))


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


def test_a_file_has_its_name_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_whole(path, b"old")
    with whole_file(path) as file:
        file.write(b"new, ")
        file.write(b"in parts")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new, in parts"
    assert list(path.parent.iterdir()) == [path]


def break_off(write: Callable[[bytes], object]) -> None:
    write(b"half")
    raise ZeroDivisionError


def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        break_off(file.write)
    with pytest.raises(ZeroDivisionError), partial_file(path) as partial:
        break_off(partial.write_bytes)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_of_paths_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(FileNotFoundError), partial_file(path):
        pass
    assert path.read_bytes() == b"old"


def test_a_folder_has_its_name_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder"
    with whole_folder(path) as partial:
        (partial / "one").write_text("1")
        assert not path.exists()
    assert [file.name for file in path.iterdir()] == ["one"]
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_failed_is_not_there_and_one_of_a_killed_process_is_no_part_of_the_next(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with pytest.raises(ZeroDivisionError), whole_folder(path) as partial:
        break_off((partial / "half").write_bytes)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "folder.partial").mkdir()  # of a killed process
    (tmp_path / "folder.partial" / "half").write_text("1")
    with whole_folder(path) as partial:
        (partial / "whole").write_text("2")
    assert [file.name for file in path.iterdir()] == ["whole"]


def test_a_folder_that_another_process_made_meanwhile_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with pytest.raises(InputError, match="the folder exists"), whole_folder(path):
        path.mkdir()
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_there_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the folder exists"), whole_folder(tmp_path):
        raise AssertionError("the block must not run")


def test_what_is_there_is_refused_and_the_message_names_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "file"
    refuse_existing(file)
    file.touch()
    with pytest.raises(InputError, match=r"file: the file exists\. Choose another name or remove it\."):
        refuse_existing(file)
    with pytest.raises(InputError, match=r"file: the file exists\. Give --overwrite or another --out\."):
        refuse_existing(file, overwrite=False)
    refuse_existing(file, overwrite=True)
    with pytest.raises(InputError, match="the folder exists"):
        refuse_existing(tmp_path)


def test_what_a_run_consists_of_is_not_replaced_by_an_output(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("recipe: {}")
    for name in ("run.yaml", "trees.jsonl"):
        with pytest.raises(InputError, match=f"{name}: the file belongs to a run"):
            refuse_existing(tmp_path / name, overwrite=True)
    refuse_existing(tmp_path / "report.html", overwrite=True)
