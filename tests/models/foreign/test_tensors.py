from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from prmkit.errors import InputError
from prmkit.models.foreign.tensors import read_tensors

A, B = torch.arange(6.0).reshape(2, 3), torch.ones(2, dtype=torch.bfloat16)


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[key], value) and found[key].dtype == value.dtype for key, value in expected.items()
    )


@pytest.fixture(params=["safetensors", "bin"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Weights in two files of either kind."""
    for name, weights in (("1", {"a": A, "x": torch.zeros(9)}), ("2", {"b": B})):
        if request.param == "safetensors":
            save_file(weights, tmp_path / f"model-{name}.safetensors")
        else:
            torch.save(weights, tmp_path / f"pytorch_model-{name}.bin")
    return tmp_path


def test_tensors_are_found_in_whichever_file_they_are_with_their_type(folder: Path) -> None:
    assert same(read_tensors(folder, ["b", "a"]), {"a": A, "b": B})


def test_what_is_optional_may_be_missing_and_what_is_not_is_named(folder: Path) -> None:
    assert same(read_tensors(folder, ["a"], optional=["b", "c"]), {"a": A, "b": B})
    assert read_tensors(folder, [], optional=["c"]) == {}
    with pytest.raises(InputError, match=r"weights are missing, got 'no c, d'\. Is the adapter right\?"):
        read_tensors(folder, ["c", "a", "d"], optional=["b"])


def test_a_folder_without_weights_misses_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"{tmp_path}: weights are missing, got 'no a, b, c, d and 1 more'"):
        read_tensors(tmp_path, list("abcde"))


def test_of_two_kinds_of_files_the_safe_ones_are_read(tmp_path: Path) -> None:
    save_file({"a": A}, tmp_path / "model.safetensors")
    torch.save({"a": A + 1, "b": B}, tmp_path / "pytorch_model.bin")
    assert same(read_tensors(tmp_path, ["a"], optional=["b"]), {"a": A})


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"a": nn.Linear(2, 2)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="a weight file holds more than tensors, and is not opened"):
        read_tensors(tmp_path, ["a"])


@pytest.mark.parametrize("key", ["a", "c"])
def test_the_settings_of_a_training_beside_the_weights_are_not_opened(tmp_path: Path, key: str) -> None:
    torch.save({"a": A}, tmp_path / "pytorch_model.bin")
    torch.save(nn.Linear(2, 2), tmp_path / "training_args.bin")
    if key == "a":
        assert same(read_tensors(tmp_path, [key]), {"a": A})
    else:
        with pytest.raises(InputError, match="weights are missing, got 'no c'"):
            read_tensors(tmp_path, [key])


@pytest.mark.parametrize("held", [3, None, [1, 2], "a", A, {"a": 3}, {"a": None}, {"b": A}])
def test_what_is_no_tensor_is_no_weight(tmp_path: Path, held: Any) -> None:
    torch.save(held, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="weights are missing, got 'no a'"):
        read_tensors(tmp_path, ["a"])


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("content", ["", "garbage", "half"])
def test_a_broken_file_is_one_line_that_names_the_folder(tmp_path: Path, name: str, content: str) -> None:
    if name.endswith("bin"):
        torch.save({"a": A}, tmp_path / name)
    else:
        save_file({"a": A}, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes({"": b"", "garbage": b"garbage", "half": whole[: len(whole) // 2]}[content])
    with pytest.raises(InputError, match=rf"{tmp_path}: cannot read the weights \(.+\)") as raised:
        read_tensors(tmp_path, ["a"])
    assert "\n" not in str(raised.value)
