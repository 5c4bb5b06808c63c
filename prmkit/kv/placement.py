"""Where a model lives, and how much memory it may take there beside others."""

import os

import torch
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.models.backbone import accelerator

_GPU_SHARE = 0.45
"""Default share of a GPU: two engines fit on one."""

_CPU_ROOM = 2 << 30
"""Default bytes of key-values on a CPU, whose memory belongs to others too."""


def placed(device: str | None) -> str:
    """The device of a recipe, or the default one.

    Raises:
        InputError: this machine has no such device.
    """
    if device is None:
        return accelerator()
    known = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if device not in known and not (device == "cuda" and len(known) > 1):
        raise InputError("no such device", got=device, expected=f"one of {', '.join(known)}")
    return device


def key_value_room(model: PreTrainedModel, share: float | None) -> int:
    """Bytes that the key-values of a model may take, when it may take a share of its device's memory in all.

    Raises:
        InputError: the weights alone take more.
    """
    on_gpu = model.device.type == "cuda"
    if share is None and not on_gpu:
        return _CPU_ROOM
    total = (
        torch.cuda.get_device_properties(model.device).total_memory
        if on_gpu
        else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    )
    weights = sum(parameter.nbytes for parameter in model.parameters())
    room = int(total * (share or _GPU_SHARE)) - weights
    if room <= 0:
        raise InputError(
            "the weights take more than the engine's share of the memory",
            where=model.config.name_or_path or type(model).__name__,
            got=f"{weights / 2**30:.3g} GiB",
            expected=f"less than {share or _GPU_SHARE} of {total / 2**30:.3g} GiB",
            cure="Give the engine a larger share (memory), or a device of its own (device).",
        )
    return room
