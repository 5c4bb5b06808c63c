import gzip
import json
import zipfile
from pathlib import Path

import datasets
import pyarrow
import pytest

from prmkit.errors import InputError
from prmkit.row_files import Meter, RawRow, local_rows
from prmkit.rows_io import bytes_on_disk

ROWS = [{"a": 1}, {"a": 2}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def test_lines_compressed_lines_and_an_array_hold_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LINES)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(LINES.encode()))
    (tmp_path / "c.json").write_text(json.dumps(ROWS))
    for name in ("a.jsonl", "b.jsonl.gz", "c.json"):
        assert [raw.parse() for raw in local_rows(tmp_path / name)] == ROWS


def test_a_folder_is_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"a": 2}\n')
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "README").write_text("no data")
    rows = list(local_rows(tmp_path))
    assert [raw.parse() for raw in rows] == ROWS
    assert [raw.where for raw in rows] == [f"{tmp_path}/a.jsonl:1", f"{tmp_path}/b.jsonl:1"]


def test_a_place_counts_the_lines_of_the_file_not_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('\n{"a": 1}\n\n{"a": 2}\n')
    assert [raw.where for raw in local_rows(path)] == [f"{path}:2", f"{path}:4"]


def test_a_bad_row_does_not_end_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": \n{"a": 2}\n')
    first, bad, last = local_rows(path)
    assert (first.parse(), last.parse()) == (ROWS[0], ROWS[1])
    assert bad.text() == '{"a": '
    with pytest.raises(InputError, match=r"a\.jsonl:2: not JSON"):
        bad.parse()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"a,b", r"unknown kind of file, got '\.csv'; expected \.jsonl"),
        ("a.json", b"{}", "not a list of rows"),
        ("a.json", b"1", "not a list of rows"),
        ("a.parquet.gz", b"", r"unknown kind of file, got '\.gz'"),
        ("a.gz", b"", "unknown kind of file"),
        ("a.eval", b"no archive", "not a whole archive"),
        ("a.arrow", b"no arrow", "not a whole arrow file"),
        ("a.jsonl.zst", b"not zstd", "cannot read the file"),
        ("a.jsonl.gz", b"not gzip", "not a whole gzip file"),
        ("a.jsonl.gz", gzip.compress(LINES.encode() * 1000, mtime=0)[:-20], "not a whole gzip file"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(local_rows(tmp_path / name))


def test_missing_files_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jsonl: no such file"):
        list(local_rows(tmp_path / "gone.jsonl"))
    with pytest.raises(InputError, match="the folder holds no data"):
        list(local_rows(tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbf[{"a": 1}, {"a": 2}]',
        b'{"a": 1}\n{"a": 2}\n',  # JSON lines
        b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}\r\n',
        b'{"version": 2, "samples": [{"a": 1}, {"a": 2}]}',
        b'{"first": {"a": 1}, "second": {"a": 2}}',
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.b.json.gz"])
def test_a_json_file_holds_its_rows_in_any_of_the_usual_ways(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert [raw.parse() for raw in local_rows(tmp_path / name)] == ROWS


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("content", [LINES, json.dumps(ROWS), "\n" + json.dumps(ROWS, indent=2)])
def test_content_tells_lines_from_an_array_in_any_encoding(
    tmp_path: Path, encoding: str, name: str, content: str
) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / name).write_bytes((mark + content).encode(encoding))
    assert [raw.parse() for raw in local_rows(tmp_path / name)] == ROWS


def test_a_json_file_of_one_object_is_one_row(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{\n  "a": 1\n}')
    assert [raw.parse() for raw in local_rows(tmp_path / "a.json")] == [{"a": 1}]


def test_an_array_that_breaks_off_keeps_its_good_rows(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"a": 1}, {"a": ')
    good, bad = local_rows(tmp_path / "a.json")
    assert good.parse() == {"a": 1}
    with pytest.raises(InputError, match=r"a\.json:\[1\]: not JSON"):
        bad.parse()


@pytest.mark.parametrize("note", ["dataset_infos.json", "state.json", "my_notes.json"])
def test_notes_beside_the_data_are_no_rows(tmp_path: Path, note: str) -> None:
    (tmp_path / note).write_text('{"default": {"features": {}}}')
    (tmp_path / "train.jsonl").write_text(LINES)
    (tmp_path / ".hidden.jsonl").write_text('{"a": 3}\n')
    assert [raw.parse() for raw in local_rows(tmp_path)] == ROWS


def test_a_folder_of_the_hub_keeps_its_data_one_below(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("A data set.")
    (tmp_path / "dataset_infos.json").write_text('{"default": {"features": {}}}')
    (tmp_path / "data").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text(LINES)
    assert [raw.parse() for raw in local_rows(tmp_path)] == ROWS


def test_a_data_set_that_was_saved_to_disk(tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "set")
    (tmp_path / "set" / "cache-1f.arrow").write_bytes(b"left by a map")
    assert [raw.parse() for raw in local_rows(tmp_path / "set")] == ROWS


def test_a_compressed_file_of_zstd(tmp_path: Path) -> None:
    with pyarrow.output_stream(str(tmp_path / "a.jsonl.zst"), compression="zstd") as file:
        file.write(LINES.encode())
    assert [raw.parse() for raw in local_rows(tmp_path / "a.jsonl.zst")] == ROWS


def test_a_log_of_inspect_holds_a_file_for_each_sample(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.eval", "w") as archive:
        archive.writestr("header.json", "{}")
        for number, row in enumerate(ROWS, start=1):
            archive.writestr(f"samples/{number}_epoch_1.json", json.dumps(row))
    rows = list(local_rows(tmp_path / "a.eval"))
    assert [raw.parse() for raw in rows] == ROWS
    assert rows[0].where == f"{tmp_path}/a.eval:samples/1_epoch_1.json"


def test_a_row_keeps_integers_of_any_size() -> None:
    assert RawRow("x:1", b'{"a": 123456789012345678901}').parse() == {"a": 123456789012345678901}


def test_what_json_cannot_hold_is_shown_too() -> None:
    assert RawRow("x:1", {"a": 10**30}).text() == "{'a': 1000000000000000000000000000000}"


def test_a_row_that_is_no_object() -> None:
    with pytest.raises(InputError, match="x:1: not a JSON object"):
        RawRow("x:1", b"[1]").parse()


MANY = [{"a": number, "b": "x" * 2000} for number in range(600)]


def many(path: Path) -> Path:
    """600 rows in a file of the kind that its name says."""
    lines = "".join(json.dumps(row) + "\n" for row in MANY).encode()
    if path.name.endswith(".zst"):
        with pyarrow.output_stream(str(path), compression="zstd") as file:
            file.write(lines)
    elif path.suffix == ".parquet":
        datasets.Dataset.from_list(MANY).to_parquet(path)
    elif path.suffix == ".arrow":
        datasets.Dataset.from_list(MANY).save_to_disk(path.parent / "set")
        (path.parent / "set" / "data-00000-of-00001.arrow").rename(path)
    elif path.suffix == ".eval":
        with zipfile.ZipFile(path, "w") as archive:
            for number, row in enumerate(MANY):
                archive.writestr(f"samples/{number:03}.json", json.dumps(row))
    elif path.suffix == ".json":
        path.write_text(json.dumps(MANY if path.stem == "array" else {"rows": MANY}))
    else:
        path.write_bytes(gzip.compress(lines, 0) if path.suffix == ".gz" else lines)
    return path


@pytest.mark.parametrize(
    "name",
    ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "array.json", "object.json", "a.parquet", "a.arrow", "a.eval"],
)
def test_a_meter_tells_how_much_of_a_file_has_been_read(tmp_path: Path, name: str) -> None:
    path, meter = many(tmp_path / name), Meter()
    size = path.stat().st_size
    assert (bytes_on_disk(str(path)), meter.read) == (size, 0)
    told = [meter.read for _ in local_rows(path, meter)]
    assert told == sorted(told)
    assert meter.read == size
    if not name.endswith(".zst"):  # 600 such rows are packed into less than what is read at once
        assert 0 < told[len(told) // 2] < size


def test_a_meter_adds_up_the_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl.gz"):
        many(tmp_path / name)
    meter = Meter()
    (tmp_path / "README").write_text("no data")
    told = [meter.read for _ in local_rows(tmp_path, meter)]
    assert told == sorted(told)
    first = (tmp_path / "a.jsonl").stat().st_size
    assert first <= told[600]
    assert meter.read == bytes_on_disk(str(tmp_path)) == first + (tmp_path / "b.jsonl.gz").stat().st_size
