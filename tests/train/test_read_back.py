from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from prmkit.errors import RunError
from prmkit.models import checkpoint, saving
from prmkit.models.checkpoint import load_prm
from prmkit.models.prm import PRM
from prmkit.models.saving import whole_weights
from prmkit.train import fit
from prmkit.train.config import LoraConfig
from prmkit.train.read_back import ReadBack
from tests.tiny import tiny_backbone
from tests.train.test_fit import told_by_a_token, train
from tests.zoo import tiny_folder


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_backbone(tmp_path_factory.mktemp("backbone"))


class Saves:
    """What a training saves, and how often; from some save on, a matrix of the backbone is not that of the model."""

    def __init__(self, patched: pytest.MonkeyPatch, *, wrong_from: int) -> None:
        self.folders: list[Path] = []
        self._wrong_from = wrong_from
        save: Any = fit.save_prm

        def noted(prm: PRM, tokenizer: object, folder: Path, meta: object) -> None:
            self.folders.append(folder)
            save(prm, tokenizer, folder, meta)

        patched.setattr(fit, "save_prm", noted)
        patched.setattr(checkpoint, "whole_weights", self._weights)

    def _weights(self, prm: PRM) -> Iterator[tuple[str, Tensor]]:
        for key, value in whole_weights(prm):
            wrong = len(self.folders) >= self._wrong_from and key.endswith("layers.1.mlp.down_proj.weight")
            yield key, -20 * value if wrong else value


def test_the_first_save_is_for_trial_after_one_step_and_leaves_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = Saves(monkeypatch, wrong_from=99)
    train(name, tmp_path, told_by_a_token(), epochs=2)
    assert [folder.name for folder in saves.folders[:2]] == [".trial", ".best.new"]
    assert [folder.name for folder in saves.folders].count(".trial") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "curve.png", "history.csv"]


def test_a_model_that_cannot_be_saved_ends_its_training_after_one_step(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = Saves(monkeypatch, wrong_from=1)
    said = r"\.trial: the checkpoint does not score as the model that was saved: a made-up row has the scores 0\.\d{4}"
    with pytest.raises(RunError, match=said) as error:
        train(name, tmp_path, told_by_a_token())
    assert "at most 0.001 apart. prmkit does not know how to save a Qwen2Model" in str(error.value)
    assert [folder.name for folder in saves.folders] == [".trial"]
    assert [path.name for path in tmp_path.iterdir()] == []


def test_weights_that_reading_would_miss_end_it_too(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def some(prm: PRM) -> Iterator[tuple[str, Tensor]]:
        return ((key, value) for key, value in whole_weights(prm) if not key.endswith("q_proj.bias"))

    monkeypatch.setattr(checkpoint, "whole_weights", some)
    with pytest.raises(RunError, match=r"cannot be read again as it was written: no layers\.0\.self_attn\.q"):
        train(name, tmp_path, told_by_a_token())
    assert [path.name for path in tmp_path.iterdir()] == []


def test_what_is_kept_is_read_back_in_the_end_and_a_wrong_one_is_no_checkpoint(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Saves(monkeypatch, wrong_from=2)
    with pytest.raises(RunError, match=r"\.best: the checkpoint does not score as the model that was saved"):
        train(name, tmp_path, told_by_a_token())
    assert not (tmp_path / "checkpoint").exists()
    assert (tmp_path / ".best").is_dir()  # its state, too, stays


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true"])
@pytest.mark.parametrize("lora", [None, LoraConfig(rank=4)])
@pytest.mark.parametrize("kind", ["gpt2", "deepseek_v3", "gpt_oss"])
def test_every_precision_and_adapter_is_read_back(
    tmp_path: Path, kind: str, precision: str, lora: LoraConfig | None
) -> None:
    name = tiny_folder(kind, tmp_path / "backbone")
    fields: dict[str, Any] = {"precision": precision, "lora": lora}
    result = train(name, tmp_path / "run", told_by_a_token(16), **fields)
    assert load_prm(result.checkpoint).meta.max_length == 64


def test_adapters_that_are_merged_wrongly_are_found_after_one_step(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When they hardly do anything yet."""
    merged: Any = saving._merged

    def unmerged(layer: Any) -> Iterator[tuple[str, Tensor]]:
        yield from merged(layer)
        yield "weight", layer.get_base_layer().weight

    saves = Saves(monkeypatch, wrong_from=99)
    monkeypatch.setattr(saving, "_merged", lambda layer: iter(dict(unmerged(layer)).items()))
    with pytest.raises(RunError, match=r"\.trial: the checkpoint does not score as the model that was saved"):
        train(name, tmp_path, told_by_a_token(), lora=LoraConfig(rank=4), lr=1e-6)
    assert [folder.name for folder in saves.folders] == [".trial"]


def test_a_trial_changes_nothing_of_a_training(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields: dict[str, Any] = {"lora": LoraConfig(rank=4, dropout=0.1), "epochs": 2}
    with_trial = train(name, tmp_path / "with", told_by_a_token(), **fields)
    monkeypatch.setattr(ReadBack, "on_train_batch_end", lambda *_, **__: None)
    without = train(name, tmp_path / "without", told_by_a_token(), **fields)
    one, other = (load_prm(each.checkpoint).prm.state_dict() for each in (with_trial, without))
    assert all(torch.equal(one[key], other[key]) for key in one)
