"""The tensors of a model folder by the names that they have in its files, read one by one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from prmkit.errors import InputError
from prmkit.models.causes import holds_code

_SETTINGS = "training_args.bin"
"""What transformers' Trainer writes beside the weights: no weights, and pickled code."""


class StoredTensors(Mapping[str, Tensor]):
    """The tensors of a folder, from its safetensors or, where there are none, from torch files, of which nothing but
    tensors is unpickled. Files are mapped into memory; a tensor is read when it is asked for.

    Args:
        folder: a model folder; without weights it holds no tensors.

    ``safe`` says whether they are safetensors.

    Raises:
        InputError: a file cannot be read, here or when a tensor is asked for.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, Any] = {}
        files = sorted(folder.glob("*.safetensors"))
        self.safe = bool(files)
        with _refusals(folder):
            for file in files:
                stored: Any = safe_open(file, framework="pt")
                self._places |= dict.fromkeys(stored.keys(), stored)
            for file in [] if files else sorted(folder.glob("*.bin")):
                if file.name != _SETTINGS:
                    held = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
                    weights = held if isinstance(held, Mapping) else {}
                    self._places |= {key: value for key, value in weights.items() if isinstance(value, Tensor)}

    def __getitem__(self, key: str) -> Tensor:
        place = self._places[key]
        with _refusals(self._folder):
            tensor: Tensor = place if isinstance(place, Tensor) else place.get_tensor(key)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def parameters(self) -> int:
        """How many numbers there are."""
        return sum(self.empty(key).numel() for key in self)

    def empty(self, key: str) -> Tensor:
        """A tensor of the same shape and type without memory."""
        place = self._places[key]
        if isinstance(place, Tensor):
            return torch.empty_like(place, device="meta")
        header = place.get_slice(key)
        with torch.device("meta"):
            return torch.empty(header.get_shape(), dtype=_TYPES[header.get_dtype()])


_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


@contextmanager
def _refusals(folder: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"cannot read the weights ({reason})", where=folder) from None
    except UnpicklingError:
        raise holds_code(folder) from None
