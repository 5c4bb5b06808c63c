import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prmkit.models.checkpoint import CheckpointMeta, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from tests.commands.conftest import Answer
from tests.tiny import tiny_backbone, tiny_tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    name = tiny_backbone(tmp_path / "backbone")
    meta = CheckpointMeta(format=StepFormat(), label_source="human", max_length=64)
    save_prm(PRM.from_backbone(name, ModelConfig(name=name, max_length=64)), tiny_tokenizer(), tmp_path / "prm", meta)
    return tmp_path / "prm"


def test_inspect_says_what_a_checkpoint_is(prmkit: Callable[..., Answer], folder: Path) -> None:
    facts = json.loads(prmkit("checkpoint", "inspect", folder, "--json").out)
    assert facts["architecture"] == "Qwen2ForRewardModel"
    assert (facts["dtype"], facts["context"], facts["meta"]["label_source"]) == ("float32", 256, "human")
    # The backbone's 44 x 32 embedding, two layers and a norm, and the head's two maps.
    layer = 2 * 32 * 32 + 2 * 32 * 16 + 32 + 2 * 16 + 3 * 32 * 64 + 2 * 32
    assert facts["parameters"] == facts["vocabulary"] * 32 + 2 * layer + 32 + 32 * 32 + 32 + 32 + 1
    assert facts["bytes"] > 4 * facts["parameters"]


def test_a_checkpoint_goes_out_and_comes_back(prmkit: Callable[..., Answer], folder: Path, tmp_path: Path) -> None:
    assert prmkit("checkpoint", "export", folder, tmp_path / "two").code == 0
    again = prmkit("checkpoint", "import", tmp_path / "two", tmp_path / "one", "--template", "plain", "--json")
    assert json.loads(again.out) == {"wrote": str(tmp_path / "one"), "form": "process-reward-model"}
    assert prmkit("checkpoint", "inspect", tmp_path / "one").code == 0


def test_bad_input_is_one_line(prmkit: Callable[..., Answer], folder: Path, tmp_path: Path) -> None:
    prmkit("checkpoint", "inspect", folder)  # takes what the fixture printed
    for arguments in (
        ("inspect", tmp_path / "nowhere"),
        ("inspect", tmp_path / "backbone"),
        ("export", folder, folder),
        ("import", tmp_path / "backbone", tmp_path / "out"),
        ("import", folder, tmp_path / "out"),
        ("import", folder, tmp_path / "out", "--step-end", ""),
        ("import", folder, tmp_path / "out", "--step-end", "<extra_0>"),
        ("import", folder, tmp_path / "out", "--template", "chat"),
        ("merge", folder, tmp_path / "out"),
    ):
        answer = prmkit("checkpoint", *arguments)
        assert answer.code == 2, arguments
        assert answer.err.count("\n") == 1, arguments
        assert not (tmp_path / "out").exists()


def test_the_template_is_one_that_there_is(prmkit: Callable[..., Answer], folder: Path, tmp_path: Path) -> None:
    answer = prmkit("checkpoint", "import", folder, tmp_path / "out", "--template", "strange")
    assert answer.code == 2
    assert "'plain', 'bare', 'qwen-math', 'chatml', 'chat'" in answer.err
