from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

from prmkit.errors import InputError
from prmkit.prepare.content import content_of, is_commit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"1\n")
    (tmp_path / "b.jsonl").write_bytes(b"1\n")
    (tmp_path / "c.jsonl").write_bytes(b"2\n")
    one, same, other = (content_of(str(tmp_path / name)) for name in ("a.jsonl", "b.jsonl", "c.jsonl"))
    assert one == same != other
    assert not is_commit(one)


def test_a_folder_is_known_by_the_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.jsonl").write_bytes(b"1\n")
    before = content_of(str(tmp_path))
    assert content_of(f"hub:{tmp_path}") == before
    (tmp_path / "data" / "b.jsonl").write_bytes(b"")
    assert content_of(str(tmp_path)) != before


def test_a_data_set_of_the_hub_is_known_by_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    def info(self: object, name: str, **_: object) -> SimpleNamespace:
        assert name == "org/name"
        return SimpleNamespace(sha=COMMIT)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", info)
    assert content_of("hub:org/name@part:test") == COMMIT
    assert is_commit(COMMIT)


def test_a_hub_that_is_not_to_be_asked_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise huggingface_hub.errors.OfflineModeIsEnabled("offline mode is enabled\nmore")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", offline)
    with pytest.raises(InputError, match=r"cannot load org/name from the hub \(offline mode is enabled\)"):
        content_of("hub:org/name")


def test_nothing_has_no_content(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        content_of(str(tmp_path / "nothing"))
