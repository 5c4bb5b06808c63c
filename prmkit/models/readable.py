"""Can a folder be read again as the backbone that was written? Asked of transformers itself, by the headers of its
files: no number is read.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import AutoConfig, PreTrainedModel

from prmkit.errors import RunError
from prmkit.models.backbone import shown
from prmkit.models.loading import quiet
from prmkit.models.stored_form import stored_weights

_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def check_readable(folder: Path, kind: type[PreTrainedModel]) -> None:
    """Load a folder of safetensors without its numbers, as a backbone of this class.

    Raises:
        RunError: weights or buffers are missing, have another shape than the config says, or a type that reading would
            round.
    """
    held = _headers(folder)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    loader: Any = kind.from_pretrained
    with quiet():
        model, report = loader(
            None,
            config=config,
            state_dict=dict(held),
            device_map="meta",
            dtype=config.dtype,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    found = model.state_dict()
    faults = [f"no {shown(sorted(report['missing_keys']))}"] if report["missing_keys"] else []
    faults += [
        f"{name} of shape {tuple(stored)} for {tuple(wanted)}"
        for name, stored, wanted in sorted(report["mismatched_keys"])
    ]
    for name, weight in stored_weights(model, held)[0].items():
        stored, read = held[weight.keys[0][0]].dtype, found[name].dtype
        if torch.promote_types(stored, read) != read:
            faults.append(f"{name} in {_named(stored)}, which reading rounds to {_named(read)}")
    if faults:
        raise RunError(
            f"{folder}: the checkpoint cannot be read again as it was written: {'; '.join(faults[:4])}. "
            f"Nothing is kept of it. prmkit does not know how to save a {kind.__name__}: please report it."
        )


def _headers(folder: Path) -> dict[str, Tensor]:
    """The weights of a folder as tensors without memory."""
    held = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as stored:
            for key in stored.keys():  # noqa: SIM118
                header = stored.get_slice(key)
                held[key] = torch.empty(header.get_shape(), dtype=_TYPES[header.get_dtype()], device="meta")
    return held


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
