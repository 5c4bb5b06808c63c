import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, PreTrainedModel

from prmkit.errors import RunError
from prmkit.models.readable import check_readable
from tests.zoo import tiny_folder

BUFFER = "model.layers.1.mlp.gate.e_score_correction_bias"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(tiny_folder("deepseek_v3", tmp_path / "model"))


def kind(folder: Path) -> type[PreTrainedModel]:
    with torch.device("meta"):
        return type(AutoModel.from_config(AutoConfig.from_pretrained(folder)))


def changed(folder: Path, **changes: torch.Tensor | None) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {key: value for key, value in {**weights, **changes}.items() if value is not None}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_whole_folder_is_readable_and_none_of_its_numbers_is_read(folder: Path) -> None:
    weights = folder / "model.safetensors"
    header = 8 + int.from_bytes(weights.read_bytes()[:8], "little")
    size = weights.stat().st_size
    with weights.open("r+b") as file:
        file.truncate(header)
        file.truncate(size)  # a hole where the numbers were
    check_readable(folder, kind(folder))


def test_a_missing_buffer_and_a_missing_expert_are_named(folder: Path) -> None:
    changed(folder, **{BUFFER: None, "model.norm.weight": None})
    with pytest.raises(RunError, match=r"no layers\.1\.mlp\.gate\.e_score_correction_bias, norm\.weight\. Nothing"):
        check_readable(folder, kind(folder))


def test_another_shape_is_named(folder: Path) -> None:
    changed(folder, **{"model.norm.weight": torch.ones(31)})
    with pytest.raises(RunError, match=r"norm\.weight of shape \(31,\) for \(64,\)"):
        check_readable(folder, kind(folder))


def test_a_type_that_reading_rounds_is_named_and_one_that_it_widens_is_not(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    changed(folder, **{key: value.bfloat16() for key, value in weights.items()})
    check_readable(folder, kind(folder))  # the buffer is read as float32
    changed(folder, **{"model.norm.weight": torch.ones(32)})
    config = json.loads((folder / "config.json").read_text()) | {"dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match=r"norm\.weight in float32, which reading rounds to bfloat16"):
        check_readable(folder, kind(folder))


def test_one_expert_too_few_is_refused(folder: Path) -> None:
    changed(folder, **{"model.layers.1.mlp.experts.3.up_proj.weight": None})
    with pytest.raises(RunError, match=r"cannot be read again as it was written: .*conversion"):
        check_readable(folder, kind(folder))
