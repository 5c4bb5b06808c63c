from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from prmkit.errors import InputError
from prmkit.models.stored_tensors import StoredTensors

HELD = {
    "a": torch.arange(6.0).reshape(2, 3),
    "half": torch.ones(2, dtype=torch.bfloat16),
    "small": torch.ones(4).to(torch.float8_e4m3fn),
    "counted": torch.arange(3),
    "yes": torch.tensor(True),
}


@pytest.fixture(params=["safetensors", "bin"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "safetensors":
        save_file(HELD, tmp_path / "model.safetensors")
    else:
        torch.save(HELD, tmp_path / "pytorch_model.bin")
    return tmp_path


def test_each_tensor_is_there_with_its_shape_and_type(folder: Path) -> None:
    stored = StoredTensors(folder)
    assert set(stored) == HELD.keys()
    assert stored.safe == (folder / "model.safetensors").exists()
    for key, value in HELD.items():
        empty = stored.empty(key)
        assert (empty.shape, empty.dtype, empty.device.type) == (value.shape, value.dtype, "meta")
        assert torch.equal(stored[key].float(), value.float())
        assert stored[key].dtype == value.dtype


def test_a_name_that_is_not_there_is_none(folder: Path) -> None:
    assert StoredTensors(folder).get("b") is None


def test_a_folder_without_weights_holds_no_tensors(tmp_path: Path) -> None:
    assert not StoredTensors(tmp_path)


def test_a_file_that_lost_its_end_is_refused_in_one_line(tmp_path: Path) -> None:
    save_file(HELD, tmp_path / "model.safetensors")
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-4])
    with pytest.raises(InputError, match=r"cannot read the weights \(.+\)"):
        StoredTensors(tmp_path)
