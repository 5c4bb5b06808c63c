from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.session.journal import Journal, request_key


def test_a_key_depends_on_each_of_its_parts() -> None:
    keys = {
        request_key("p", "write", ["a"], 1),
        request_key("q", "write", ["a"], 1),
        request_key("p", "score", ["a"], 1),
        request_key("p", "write", ["a", "b"], 1),
        request_key("p", "write", ["a"], 2),
    }
    assert len(keys) == 5
    assert request_key("p", "write", ["a"], 1) in keys


def test_replies_are_read_back_and_a_torn_one_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.put("k1", {"x": 1})
    journal.put("k2", {"x": 2})
    path.write_bytes(path.read_bytes()[:-3])
    again = Journal(path)
    assert again.get("k1") == {"x": 1}
    assert again.get("k2") is None
    again.put("k2", {"x": 2})
    assert Journal(path).get("k2") == {"x": 2}


def test_a_reply_holds_little_beside_its_text(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    text = "so the two sides are equal and x is 12 " * 4
    Journal(path).put("0123456789abcdef", {"w": [["s", text]] * 4, "c": [100, 0, 160, 40, 1.5e9, 0.1234, 12.345]})
    assert path.stat().st_size < 1.2 * 4 * len(text)


def test_a_file_that_is_no_journal_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"k": "a"}\n{"x": 1}\n')
    with pytest.raises(InputError, match=r"journal.jsonl:2: not a reply of a journal"):
        Journal(path)
