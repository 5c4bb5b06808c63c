"""A GGUF file as a Hugging Face folder: its tensors dequantised, under the names and in the order that transformers
gives them.

transformers reads the file. What it passes over in silence is seen to here: tensors for which the model has no place or
a place of another shape, a stretched context, heads that are rotated in part, a window of attention.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, GenerationConfig, PretrainedConfig, PreTrainedModel

from prmkit.errors import InputError, PrmkitError
from prmkit.models.backbone import check_vocabulary, shown
from prmkit.models.gguf.contents import check_contents, kind_of
from prmkit.models.gguf.header import Header, StoredTensor
from prmkit.models.gguf.rope import FACTORS, rope_scaling
from prmkit.models.gguf.tokenizer import end_ids, load_gguf_tokenizer
from prmkit.models.loading import quiet
from prmkit.models.saving import write_model
from prmkit.run.files import refuse_existing

Dtype = Literal["float32", "bfloat16"]

_FILE = "model.gguf"


def import_gguf(header: Header, out: Path, dtype: Dtype = "bfloat16") -> None:
    """Write the causal LM of a GGUF file as a folder with safetensors, config, tokenizer, chat template and the tokens
    that end a text, all or nothing.

    The whole model is held in memory, in ``dtype``. Nothing in the file is executed, and nothing beside it is read.

    Args:
        header: of the file, from ``read_header``.
        out: a new folder.
        dtype: of the weights that are written.

    Raises:
        InputError: ``out`` exists, the package gguf is missing, the file is cut off or holds no whole language model,
            or one that transformers cannot read as it is meant.
    """
    refuse_existing(out)
    check_contents(header)
    ends = end_ids(header)
    with _alone(header.path) as folder, _refusals(header):
        tokenizer = load_gguf_tokenizer(folder, _FILE, header)
        model = _loaded(folder, header, getattr(torch, dtype))
        config = _config(model, header)
    check_vocabulary(model, tokenizer, where=header.path)
    ids = {"eos_token_id": ends, "bos_token_id": tokenizer.bos_token_id, "pad_token_id": tokenizer.pad_token_id}
    write_model(
        out,
        weights=_weights(model),
        config=config,
        tokenizer=tokenizer,
        texts={"generation_config.json": GenerationConfig(**ids).to_json_string()},
    )


@contextmanager
def _alone(path: Path) -> Iterator[str]:
    """A folder with a link to the file and nothing else, which transformers might read in its place."""
    with TemporaryDirectory() as folder:
        (Path(folder) / _FILE).symlink_to(path.absolute())
        yield folder


@contextmanager
def _refusals(header: Header) -> Iterator[None]:
    """Turn whatever reading raises into one line: of a file that lies, transformers raises errors of every kind."""
    try:
        with quiet():
            yield
    except (PrmkitError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(line.strip() for line in str(error).splitlines()[:2]) or type(error).__name__
        raise InputError(
            f"transformers cannot read the model ({reason.replace(_FILE, header.path.name)})",
            where=header.path,
            got=f"the architecture {header.architecture}",
            cure="Use the model's original folder, or another architecture.",
        ) from None


def _loaded(folder: str, header: Header, dtype: torch.dtype) -> PreTrainedModel:
    kind: Any = AutoModelForCausalLM
    model, report = kind.from_pretrained(
        folder, gguf_file=_FILE, dtype=dtype, output_loading_info=True, trust_remote_code=False
    )
    missing = sorted(report["missing_keys"])
    if missing:
        raise InputError("weights are missing", where=header.path, got=f"no {shown(missing)}")
    held = sum(value.numel() for _, value in _weights(model))
    stored = sum(prod(tensor.shape) for tensor in header.tensors if tensor.name != FACTORS)
    if held != stored:
        raise InputError(
            f"transformers' {type(model).__name__} has no place for some of the tensors",
            where=header.path,
            got=stored,
            expected=f"{held} numbers",
        )
    return cast(PreTrainedModel, model)


def _weights(model: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    """The weights by name, those that are shared under the first one alone."""
    seen: set[int] = set()
    for name, value in model.state_dict().items():
        if value.data_ptr() not in seen:
            seen.add(value.data_ptr())
            yield name, value.contiguous()


def _config(model: PreTrainedModel, header: Header) -> PretrainedConfig:
    """The config of what is written: the one that transformers made of the file, with what it passed over."""
    config: Any = copy.deepcopy(model.config)
    config.architectures = [type(model).__name__]
    config.__dict__.pop("_model_name_or_path", None)
    config.vocab_size = cast(Any, model.get_input_embeddings()).weight.shape[0]
    width = header.of_model("attention.key_length", int)
    if width is not None and getattr(config, "head_dim", None) is not None:
        config.head_dim = width
    window, context = header.of_model("attention.sliding_window", int), header.of_model("context_length", int)
    if window and context and window < context and getattr(config, "sliding_window", None) != window:
        raise InputError("transformers gives this architecture no window of attention", where=header.path, got=window)
    _check_rotation(config, header)
    _stretch(config, header)
    _check_shapes(model, config, header)
    return cast(PretrainedConfig, config)


def _check_rotation(config: Any, header: Header) -> None:
    rotated, width = header.of_model("rope.dimension_count", int), getattr(config, "head_dim", None)
    in_part = "partial_rotary_factor" in (getattr(config, "rope_parameters", None) or {})
    if rotated is not None and width is not None and rotated != width and not in_part:
        raise InputError(
            "heads are rotated in part", where=header.path, got=rotated, expected=f"all {width} dimensions"
        )


def _stretch(config: Any, header: Header) -> None:
    factors = next((tensor for tensor in header.tensors if tensor.name == FACTORS), None)
    scaling = rope_scaling(header, None if factors is None else _read_floats(header, factors))
    rope = getattr(config, "rope_parameters", None) or {}
    if scaling and rope.get("rope_type") == "default":
        config.rope_parameters = rope | scaling
    elif scaling and rope.get("rope_type") != scaling["rope_type"]:
        raise InputError("the context of this architecture cannot be stretched here", where=header.path, got=scaling)


def _check_shapes(model: PreTrainedModel, config: PretrainedConfig, header: Header) -> None:
    with torch.device("meta"):
        expected = AutoModelForCausalLM.from_config(config).state_dict()
    for name, value in model.state_dict().items():
        if name not in expected or value.shape != expected[name].shape:
            raise InputError(
                f"the weight {name} has another shape than the keys of the file give it",
                where=header.path,
                got=tuple(value.shape),
                expected=str(tuple(expected[name].shape)) if name in expected else "no such weight",
            )


def _read_floats(header: Header, tensor: StoredTensor) -> list[float]:
    if kind_of(tensor, header).name != "F32":
        raise InputError(f"the tensor {tensor.name} is no float32", where=header.path)
    values = np.fromfile(header.path, dtype="<f4", count=prod(tensor.shape), offset=header.start + tensor.offset)
    return [float(value) for value in values]
