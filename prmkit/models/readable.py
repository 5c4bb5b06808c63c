"""Can a folder be read again as the backbone that was written? Asked of transformers itself, by the headers of its
files: no number is read.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel

from prmkit.errors import RunError
from prmkit.models.backbone import shown
from prmkit.models.loading import quiet
from prmkit.models.stored_form import stored_weights
from prmkit.models.stored_tensors import StoredTensors


def check_readable(folder: Path, kind: type[PreTrainedModel]) -> None:
    """Load a folder of safetensors without its numbers, as a backbone of this class.

    Raises:
        RunError: weights or buffers are missing, have another shape than the config says, or a type that reading would
            round.
    """
    stored = StoredTensors(folder)
    held = {key: stored.empty(key) for key in stored}
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    loader: Any = kind.from_pretrained
    try:
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
    except (RuntimeError, ValueError, KeyError) as error:
        raise _unreadable(folder, kind, " ".join(str(error).split())) from None
    found = model.state_dict()
    faults = [f"no {shown(sorted(report['missing_keys']))}"] if report["missing_keys"] else []
    faults += [
        f"{name} of shape {tuple(kept)} for {tuple(wanted)}" for name, kept, wanted in sorted(report["mismatched_keys"])
    ]
    for name, weight in stored_weights(model, held)[0].items():
        kept, read = held[weight.keys[0][0]].dtype, found[name].dtype
        if torch.promote_types(kept, read) != read:
            faults.append(f"{name} in {_named(kept)}, which reading rounds to {_named(read)}")
    if faults:
        raise _unreadable(folder, kind, "; ".join(faults[:4]))


def _unreadable(folder: Path, kind: type[PreTrainedModel], faults: str) -> RunError:
    return RunError(
        f"{folder}: the checkpoint cannot be read again as it was written: {faults}. "
        f"Nothing is kept of it. prmkit does not know how to save a {kind.__name__}: please report it."
    )


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
