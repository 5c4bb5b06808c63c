import gzip
import json
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.rows_io import RawRow, field, first_rows, local_rows, rows_at

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
        ("a.json", b"[", "not JSON"),
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


def test_a_hub_path_names_the_data_set_and_the_split(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked = []

    def hub(name: str, config: str | None, *, split: str, streaming: bool) -> list[dict[str, int]]:
        asked.append((name, config, split, streaming))
        return ROWS

    monkeypatch.setattr(datasets, "load_dataset", hub)
    assert [raw.parse() for raw in rows_at("hub:org/name:test")] == ROWS
    assert [raw.where for raw in rows_at("hub:org/name")] == ["org/name:train[0]", "org/name:train[1]"]
    assert len(list(rows_at("hub:org/name@main:test"))) == len(ROWS)
    assert asked == [
        ("org/name", None, "test", True),
        ("org/name", None, "train", True),
        ("org/name", "main", "test", True),
    ]


def test_only_the_rows_asked_for_are_parsed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\nnot json\n')
    assert first_rows(path, hub="", split="", limit=1) == [(f"{path}:1", {"a": 1})]


def test_a_field_is_the_first_name_that_has_text() -> None:
    assert field({"b": 3.0, "a": " "}, "here", "a", "b") == "3"
    with pytest.raises(InputError, match="here: the row has no a, got"):
        field({"b": [1]}, "here", "a", "b")


def test_half_a_surrogate_pair_is_no_text_and_a_whole_one_is() -> None:
    for exact in (False, True):
        assert RawRow("x:1", b'{"a": "\\ud83e\\uddee"}').parse(exact=exact) == {"a": "\U0001f9ee"}
        for half in (b'{"a": "\\ud83e"}', b'{"a": ["\\uDDEE"]}', b'{"\\ud83e": 1}'):
            with pytest.raises(InputError, match=r"^x:1: not JSON"):
                RawRow("x:1", half).parse(exact=exact)


def test_an_exact_row_keeps_integers_of_any_size() -> None:
    assert RawRow("x:1", b'{"a": 123456789012345678901}').parse(exact=True) == {"a": 123456789012345678901}


def test_a_row_that_is_no_object() -> None:
    with pytest.raises(InputError, match="x:1: not a JSON object"):
        RawRow("x:1", b"[1]").parse()
