"""Single tensors out of a model folder."""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import snapshot_download
from torch import Tensor

from prmkit.errors import InputError
from prmkit.models.backbone import shown
from prmkit.models.names import unloadable
from prmkit.models.stored_tensors import StoredTensors


def resolve(name: str) -> Path:
    """The local folder of a model: the one named, or the snapshot of a hub id, which is downloaded where it is missing.

    Raises:
        InputError: there is neither.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or name.startswith(".") or name.count("/") != 1:
        raise InputError("no such folder", where=name, cure="Check the path.")
    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.bin", "*.model", "*.jinja"]))
    except (OSError, ValueError) as error:
        raise unloadable("PRM", name, error) from None


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
