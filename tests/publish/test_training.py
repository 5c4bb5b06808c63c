"""What the run folder around a checkpoint tells of it."""

import shutil
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.publish.training import Training, checkpoint_of, hub_id, public, training_of
from prmkit.run.folder import RunFolder
from tests.publish.conftest import save_tiny_prm
from tests.report.runs import trained


def test_a_run_stands_for_its_checkpoint(training: Path, search: Path) -> None:
    assert checkpoint_of(training) == training / "checkpoint"
    assert checkpoint_of(training / "checkpoint") == training / "checkpoint"
    with pytest.raises(InputError, match="no checkpoint"):
        checkpoint_of(search)


def test_a_checkpoint_is_known_by_the_run_around_it(training: Path) -> None:
    found = training_of(training / "checkpoint")
    assert found is not None
    assert (found.name, found.base_model, found.datasets) == ("my-prm", "Qwen/Qwen2.5-0.5B-Instruct", ["org/prm"])
    assert found.result.tokens == 123_456
    assert found.annotation is not None
    assert found.annotation["problems"][0]["benchmark"] == "gsm8k"


def test_a_checkpoint_elsewhere_is_of_no_training(training: Path, search: Path, tmp_path: Path) -> None:
    save_tiny_prm(tmp_path / "alone")
    assert training_of(tmp_path / "alone") is None
    shutil.copytree(training / "checkpoint", training / "a copy beside it")
    assert training_of(training / "a copy beside it") is None
    shutil.copytree(training / "checkpoint", search / "checkpoint")
    assert training_of(search / "checkpoint") is None  # that run trained nothing


def test_without_the_annotation_the_training_stands_alone(training: Path) -> None:
    shutil.rmtree(training.parent / "labels")
    found = training_of(training / "checkpoint")
    assert found is not None
    assert (found.annotation, found.datasets) == (None, [])


def test_a_training_that_did_not_end_is_named(training: Path) -> None:
    RunFolder(training).metrics_file.write_text("{")
    with pytest.raises(InputError, match=r"my-prm/metrics\.json: not JSON"):
        training_of(training / "checkpoint")


def test_a_corpus_of_the_hub_is_named_once_and_without_its_split(training: Path) -> None:
    paths = ["hub:org/prm:train", "hub:org/prm@v2", "local.jsonl", "hub:org/more"]
    found = Training(
        name="t",
        record={"recipe": {"data": {"path": "hub:org/first"}, "model": {"name": "org/base"}}},
        result=trained(),
        annotation={"data": [{"path": path} for path in paths]},
    )
    assert found.datasets == ["org/first", "org/prm", "org/more"]


def test_a_folder_here_is_no_model_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hub_id("runs/backbone") == "runs/backbone"
    (tmp_path / "runs" / "backbone").mkdir(parents=True)
    assert hub_id("runs/backbone") is None
    assert [hub_id(name) for name in ("/models/qwen", "qwen", "a/b/c", "../qwen")] == [None] * 4


def test_of_absolute_paths_only_the_last_name_is_public() -> None:
    value = {"path": "/home/bob/data.jsonl", "list": ["~/models/tiny", "org/name", 3], "none": None}
    assert public(value) == {"path": "data.jsonl", "list": ["tiny", "org/name", 3], "none": None}
