import sys
from pathlib import Path
from typing import Any

import gguf
import pytest
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.models.gguf.contents import check_contents, kind_of, stored_kind
from prmkit.models.gguf.header import StoredTensor, read_header
from tests.models.gguf.files import stored, tiny_config, tiny_model, write_gguf, write_other


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return tiny_model(tiny_config())


@pytest.mark.parametrize("kind", ["F32", "Q8_0", "Q4_1"])
def test_a_whole_model_passes(kind: str, model: PreTrainedModel, tmp_path: Path) -> None:
    header = read_header(write_gguf(tmp_path / "a.gguf", model, kind=gguf.GGMLQuantizationType[kind]))
    check_contents(header)
    assert stored_kind(header) == kind
    assert header.numbers == sum(value.numel() for value in stored(model).values())
    norm = next(tensor for tensor in header.tensors if tensor.name == "output_norm.weight")
    assert kind_of(norm, header).name == "F32"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"change": lambda writer: writer.add_type("adapter")}, "no language model, got 'adapter'"),
        ({"change": lambda writer: writer.add_type("mmproj")}, "no language model, got 'mmproj'"),
        ({"change": lambda writer: writer.add_uint16("split.count", 3)}, "one of several parts.*got 3.*--merge"),
        ({"block_count": 3}, "not those that block_count claims, got '2 of 3'"),
        ({"block_count": 1 << 31}, "not those that block_count claims, got '2 of 2147483648'"),
        ({"block_count": 1}, "not those that block_count claims, got '2 of 1'"),
        ({"without": ["block_count"]}, "not those that block_count claims, got '2 of None'"),
    ],
)
def test_other_files_and_parts_are_refused(
    options: dict[str, Any], complaint: str, model: PreTrainedModel, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=complaint):
        check_contents(read_header(write_gguf(tmp_path / "a.gguf", model, **options)))


@pytest.mark.parametrize(
    ("architecture", "tensors", "complaint"),
    [("llama", False, "holds only a vocabulary"), ("clip", True, "no language model, got 'mmproj'")],
)
def test_files_of_other_uses_are_refused_even_without_the_package(
    architecture: str, tensors: bool, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = read_header(write_other(tmp_path / "a.gguf", architecture, tensors=tensors))
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(InputError, match=complaint):
        check_contents(header)


def test_the_package_that_is_missing_is_named(
    model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_gguf(tmp_path / "a.gguf", model)
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(InputError, match=r"read by the package gguf\. pip install 'prmkit\[gguf\]'"):
        check_contents(read_header(path))


@pytest.mark.parametrize("cut", [1, 1000, 200_000])
def test_a_file_that_is_cut_off_is_refused(cut: int, model: PreTrainedModel, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf", model)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(InputError, match=r"cut off at the tensor .* expected at least"):
        check_contents(read_header(path))


def test_a_way_of_storing_that_is_not_known_is_refused(model: PreTrainedModel, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf", model)
    name, data = b"output_norm.weight", bytearray(path.read_bytes())
    place = data.index(name) + len(name) + 4 + 8  # one dimension, then its length
    data[place : place + 4] = (9999).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"GGML's type 9999.*pip install -U gguf"):
        check_contents(read_header(path))


def test_a_row_that_is_no_whole_number_of_blocks_is_refused(model: PreTrainedModel, tmp_path: Path) -> None:
    header = read_header(write_gguf(tmp_path / "a.gguf", model))
    torn = StoredTensor("t", (2, 33), int(gguf.GGMLQuantizationType.Q8_0), 0)
    object.__setattr__(header, "tensors", (torn,))
    with pytest.raises(InputError, match="the tensor t has a wrong shape"):
        check_contents(header)
