"""Single tensors out of a model folder."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from prmkit.errors import InputError
from prmkit.models.backbone import shown
from prmkit.models.stored_tensors import StoredTensors


def read_tensors(folder: Path, keys: Sequence[str], *, optional: Sequence[str] = ()) -> dict[str, Tensor]:
    """Tensors by name, from safetensors or, where there are none, from torch files (read without pickled code).

    Raises:
        InputError: a key is missing, or a file cannot be read.
    """
    stored = StoredTensors(folder)
    found = {key: stored[key] for key in (*keys, *optional) if key in stored}
    missing = [key for key in keys if key not in found]
    if missing:
        raise InputError("weights are missing", where=folder, got=f"no {shown(missing)}", cure="Is the adapter right?")
    return found
