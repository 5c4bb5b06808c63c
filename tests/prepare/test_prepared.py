import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import datasets
import huggingface_hub
import numpy as np
import pytest

from prmkit.errors import InputError
from prmkit.packing.rows import RowShape, encode_trees
from prmkit.prepare import prepared as module
from prmkit.prepare.prepared import PreparedRows, find_prepared, prepared_rows
from prmkit.run.activity import Activity
from tests.prepare.corpora import SHAPE, corpus_of, encoder, write_rows

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "prepared"


def prepared(path: Path, shape: RowShape = SHAPE, **options: object) -> PreparedRows:
    return prepared_rows(corpus_of(path, **options), encoder(), shape)


def test_rows_are_made_once_and_are_those_of_the_corpus(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", 40)
    first, second = prepared(path), prepared(path)
    assert (first.made, second.made) == (True, False)
    want = encode_trees(list(corpus_of(path)), encoder(), SHAPE)
    for found in (first, second):
        np.testing.assert_array_equal(found.encoded.rows.ids, want.rows.ids)
        assert list(found.encoded.prompts) == list(want.prompts)
    assert second.about.counts == want.counts


def test_a_corpus_of_which_the_rows_are_there_knows_what_was_read(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", 40, bad=(2,))
    corpora = [corpus_of(path), corpus_of(path)]
    for corpus in corpora:
        prepared_rows(corpus, encoder(), SHAPE)
    assert corpora[0].counts == corpora[1].counts
    assert (corpora[1].counts.read, corpora[1].counts.quarantined) == (40, 1)
    assert corpora[0].bad == corpora[1].bad
    assert corpora[1].record() == corpora[0].record()


def test_another_file_of_the_same_content_is_the_same_corpus(tmp_path: Path) -> None:
    prepared(write_rows(tmp_path / "a.jsonl", 9))
    moved = corpus_of(shutil.move(tmp_path / "a.jsonl", tmp_path / "b.jsonl"))
    assert not prepared_rows(moved, encoder(), SHAPE).made
    assert moved.record().path == str(tmp_path / "b.jsonl")


def test_rows_of_another_shape_are_others(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", 9)
    prepared(path)
    assert prepared(path, RowShape(max_length=64)).made


def test_a_corpus_that_changed_is_prepared_again_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_rows(tmp_path / "a.jsonl", 9)
    prepared(path)
    assert caplog.messages == []
    before = path.stat()
    data = path.read_bytes().replace(b"good bad", b"bad good")
    path.write_bytes(data)  # of the same size, and as old
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert prepared(path).made
    assert caplog.messages == [f"{path} has changed; it is prepared again"]


def test_a_tokenizer_of_another_version_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_rows(tmp_path / "a.jsonl", 9)
    prepared(path)
    monkeypatch.setattr("tokenizers.__version__", "99")
    assert prepared(path).made
    assert "other versions" in caplog.messages[0]


def test_damaged_rows_are_made_again_and_that_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_rows(tmp_path / "a.jsonl", 9)
    first = prepared(path)
    want = np.array(first.encoded.rows.ids)
    (first.folder / "ids").write_bytes(b"\0" * (first.folder / "ids").stat().st_size)
    again = prepared(path)
    assert again.made
    np.testing.assert_array_equal(again.encoded.rows.ids, want)
    assert "is damaged (ids: its contents have changed); it is made again" in caplog.messages[0]


@pytest.mark.parametrize("place", ["another key's folder", "a file", "a link to nothing"])
def test_what_is_in_the_place_of_rows_is_replaced_and_not_used(tmp_path: Path, place: str) -> None:
    path = write_rows(tmp_path / "rows.jsonl", 30)
    made, other = prepared(path), prepared(path, RowShape(max_length=5))
    shutil.rmtree(made.folder)
    if place == "another key's folder":
        shutil.copytree(other.folder, made.folder)
    elif place == "a file":
        made.folder.write_text("")
    else:
        made.folder.symlink_to(tmp_path / "nothing")
    again = prepared(path)
    assert again.made
    assert again.about == made.about
    assert made.about.key != other.about.key


def test_a_corpus_that_changes_meanwhile_is_refused(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_rows(tmp_path / "rows.jsonl", 30)

    def changing(*_: object) -> None:
        write_rows(path, 31)

    monkeypatch.setattr(module, "_tell", changing)
    with pytest.raises(InputError, match=r"rows\.jsonl: the corpus changed while it was being prepared"):
        prepared(path)
    assert not [child for child in cache.iterdir() if child.is_dir()]


def test_what_is_prepared_can_be_looked_up(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", 9)
    assert find_prepared(corpus_of(path), encoder(), SHAPE) is None
    made = prepared(path)
    assert find_prepared(corpus_of(path), encoder(), SHAPE) == made.about


def test_a_failure_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", 40, bad=(1, 2, 3))
    with pytest.raises(InputError, match="3 of 40 rows are bad"):
        prepared(path, max_bad=0.01)
    assert [child.suffix for child in cache.iterdir()] == [".lock"]


def test_what_a_killed_process_left_is_no_hindrance(tmp_path: Path, cache: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", 9)
    folder = prepared(path).folder
    partial = folder.rename(folder.with_name(folder.name + ".partial"))
    assert prepared(path).made
    assert not partial.exists()


def test_two_at_once_prepare_once(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", 200)
    found: list[PreparedRows] = []
    threads = [threading.Thread(target=lambda: found.append(prepared(path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.made for each in found) == [False, False, True]


def test_two_processes_at_once_prepare_once(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", 200)
    code = (
        "import sys; from pathlib import Path; from tests.prepare.corpora import *; "
        "from prmkit.prepare.prepared import prepared_rows; "
        "print(prepared_rows(corpus_of(Path(sys.argv[1])), encoder(), SHAPE).made)"
    )
    root = Path(__file__).parents[2]
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True, cwd=root)
        for _ in range(2)
    ]
    assert sorted(process.communicate()[0].strip() for process in both) == ["False", "True"]


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"cannot write \(.*\). Set PRMKIT_CACHE to a folder elsewhere."):
        prepared(write_rows(tmp_path / "a.jsonl", 9))


def test_too_small_a_disk_is_told_before(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: SimpleNamespace(free=100))
    monkeypatch.setattr(module, "_FORESEEN_AT", 1)
    monkeypatch.setattr("prmkit.prepare.portions._ROWS", 10)
    message = r"too little room for the prepared rows, got '0.00 GB'; expected 0.00 more of some 0.00 GB"
    with pytest.raises(InputError, match=message):
        prepared(write_rows(tmp_path / "a.jsonl", 40))
    assert [child.suffix for child in cache.iterdir()] == [".lock"]


def test_a_disk_that_fills_up_is_one_line(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("prmkit.prepare.files._File.write", full)
    with pytest.raises(InputError, match=r"the disk is full. Make room. Set PRMKIT_CACHE"):
        prepared(write_rows(tmp_path / "a.jsonl", 9))
    assert [child.suffix for child in cache.iterdir()] == [".lock"]


def test_who_watches_sees_how_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float | None, dict[str, str]]] = []
    tell = module._tell

    def telling(activity: Activity, *arguments: object) -> None:
        tell(activity, *arguments)  # type: ignore[arg-type]
        seen.append((activity.share, dict(activity.figures)))

    monkeypatch.setattr(module, "_tell", telling)
    monkeypatch.setattr("prmkit.prepare.portions._ROWS", 10)
    prepared(write_rows(tmp_path / "a.jsonl", 40, bad=(5,)))
    shares, figures = zip(*seen, strict=True)
    assert list(shares) == sorted(shares)
    assert shares[-1] == 1.0
    assert figures[0].keys() >= {"rows", "MB/s", "tokens/s", "quarantined", "s to go"}
    assert (figures[-1]["rows"], figures[-1]["quarantined"]) == ("40", "1")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of the hub, whose rows come from a folder by the library's own streaming."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    write_rows(folder / "train.jsonl", 40)
    load = datasets.load_dataset

    def from_folder(name: str, config: str | None, *, revision: str, **options: object) -> object:
        assert (name, revision) == ("org/name", COMMIT)
        return load(str(folder), config, **options)

    monkeypatch.setattr(datasets, "load_dataset", from_folder)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda self, name, **_: SimpleNamespace(sha=COMMIT))
    return folder


def test_a_corpus_of_the_hub_is_prepared_while_it_arrives(tmp_path: Path, hub: Path) -> None:
    streamed = prepared(Path("hub:org/name"))
    local = prepared(hub / "train.jsonl")
    np.testing.assert_array_equal(streamed.encoded.rows.ids, local.encoded.rows.ids)
    assert streamed.about.key["content"] == COMMIT
    assert not prepared(Path("hub:org/name")).made


def test_without_the_hub_what_was_prepared_is_used(
    hub: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prepared(Path("hub:org/name"))

    def offline(*_: object, **__: object) -> None:
        raise huggingface_hub.errors.OfflineModeIsEnabled("offline")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", offline)
    assert not prepared(Path("hub:org/name")).made
    assert f"its rows of commit {COMMIT[:12]} are used" in caplog.text
    with pytest.raises(InputError, match="cannot load org/other from the hub"):
        prepared(Path("hub:org/other"))
