"""Whether a GGUF file holds the whole of one language model, as far as its head tells. No torch."""

import importlib.util
import re
from math import prod
from typing import Any

from prmkit.errors import InputError
from prmkit.models.gguf.header import Header, StoredTensor

_BLOCK = re.compile(r"blk\.(\d+)\.")


def check_contents(header: Header) -> None:
    """Refuse a file that holds no language model, not all of one, or less than its head says.

    Raises:
        InputError: it is an adapter, a projector, a vocabulary or a part of a model; a tensor lies beyond its end or
            is stored in an unknown way; layers are missing; or the package gguf is.
    """
    _refuse_other_kinds(header)
    for tensor in header.tensors:
        _check_place(tensor, header)
    layers = {int(found[1]) for tensor in header.tensors if (found := _BLOCK.match(tensor.name))}
    claimed = header.of_model("block_count", int)
    if claimed != len(layers):
        got = f"{len(layers)} of {claimed}"
        raise InputError("the layers are not those that block_count claims", where=header.path, got=got)


def stored_kind(header: Header) -> str:
    """GGML's name of how most numbers of a file are stored, such as Q4_K. The file's contents have been checked."""
    sizes: dict[str, int] = {}
    for tensor in header.tensors:
        name = kind_of(tensor, header).name
        sizes[name] = sizes.get(name, 0) + prod(tensor.shape)
    return max(sizes, key=sizes.__getitem__)


def kind_of(tensor: StoredTensor, header: Header) -> Any:
    """How a tensor is stored, as a member of gguf's GGMLQuantizationType.

    Raises:
        InputError: there is no such way, or no package gguf.
    """
    if importlib.util.find_spec("gguf") is None:
        raise InputError("GGUF files are read by the package gguf", cure="pip install 'prmkit[gguf]'")
    from gguf import GGMLQuantizationType

    try:
        return GGMLQuantizationType(tensor.kind)
    except ValueError:
        raise InputError(
            f"the tensor {tensor.name} is stored in a way that is not known here",
            where=header.path,
            got=f"GGML's type {tensor.kind}",
            cure="Try a newer version: pip install -U gguf",
        ) from None


def _refuse_other_kinds(header: Header) -> None:
    kind, architecture = header.value("general.type", str) or "model", header.architecture
    parts = header.value("split.count", int) or 1
    if kind != "model" or architecture == "clip":
        got = kind if kind != "model" else "mmproj"
        raise InputError("the file holds no language model", where=header.path, got=got, expected="general.type model")
    if parts > 1:
        cure = "Join them first: llama-gguf-split --merge FIRST-PART ONE.gguf"
        raise InputError("the file is one of several parts of a model", where=header.path, got=parts, cure=cure)
    if not header.tensors:
        raise InputError("the file holds only a vocabulary", where=header.path, got="no tensors")


def _check_place(tensor: StoredTensor, header: Header) -> None:
    kind = kind_of(tensor, header)
    from gguf import GGML_QUANT_SIZES

    block, size = GGML_QUANT_SIZES[kind]
    if tensor.shape and tensor.shape[-1] % block:
        raise InputError(f"the tensor {tensor.name} has a wrong shape", where=header.path, got=tensor.shape)
    end = header.start + tensor.offset + prod(tensor.shape) // block * size
    if end > header.size:
        raise InputError(
            f"the GGUF file is cut off at the tensor {tensor.name}",
            where=header.path,
            got=f"{header.size} bytes",
            expected=f"at least {end}",
            cure="Download it again.",
        )
