import math
from decimal import Decimal
from pathlib import Path

import datasets
import pytest

from prmkit.errors import InputError
from prmkit.rows_io import bytes_on_disk, field, first_rows, plain, rows_at

ROWS = [{"a": 1}, {"a": 2}]


def test_a_hub_path_names_the_data_set_and_the_split(monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize(
    ("value", "text"),
    [("  a b ", "a b"), (27.0, "27"), (True, "True"), (Decimal("2.50"), "2.50")],
)
def test_a_plain_value_has_a_text(value: object, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize("value", [None, "", " \n", math.nan, math.inf, [], {}, ["a"], {"a": 1}, b"a"])
def test_nothing_and_what_has_parts_have_none(value: object) -> None:
    assert plain(value) is None


def test_nobody_knows_the_bytes_of_what_is_elsewhere_or_missing(tmp_path: Path) -> None:
    for path in ("hub:org/name", str(tmp_path / "gone.jsonl"), str(tmp_path)):
        assert bytes_on_disk(path) is None
