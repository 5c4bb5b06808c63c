"""Single tensors out of a model folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from prmkit.errors import InputError
from prmkit.models.backbone import shown
from prmkit.models.causes import holds_code

_SETTINGS = "training_args.bin"
"""What transformers' Trainer writes beside the weights: no weights, and pickled code."""


def read_tensors(folder: Path, keys: Sequence[str], *, optional: Sequence[str] = ()) -> dict[str, Tensor]:
    """Tensors by name, from safetensors or, where there are none, from torch files (read without pickled code).

    Raises:
        InputError: a key is missing, or a file cannot be read.
    """
    found: dict[str, Tensor] = {}
    wanted = {*keys, *optional}
    try:
        for file in sorted(folder.glob("*.safetensors")):
            with safe_open(file, framework="pt") as stored:
                found |= {key: stored.get_tensor(key) for key in wanted.intersection(stored.keys())}
        for file in [] if found else sorted(folder.glob("*.bin")):
            if file.name != _SETTINGS:
                held = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
                weights = held if isinstance(held, Mapping) else {}
                found |= {key: weights[key] for key in wanted.intersection(weights) if isinstance(weights[key], Tensor)}
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"cannot read the weights ({reason})", where=folder) from None
    except UnpicklingError:
        raise holds_code(folder) from None
    missing = [key for key in keys if key not in found]
    if missing:
        raise InputError("weights are missing", where=folder, got=f"no {shown(missing)}", cure="Is the adapter right?")
    return found
