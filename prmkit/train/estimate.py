"""``prmkit train --plan``: what a recipe would take on a machine, before anybody pays for it."""

import math
from pathlib import Path
from typing import Any

from transformers import PretrainedConfig, Qwen2Config

from prmkit.errors import InputError
from prmkit.models.backbone import load_config
from prmkit.models.config import ModelConfig
from prmkit.models.flops import forward_flops, parameters, skeleton
from prmkit.models.prm import PRM
from prmkit.train.config import TrainConfig
from prmkit.train.flops import pretraining_flops
from prmkit.train.footprint import footprint
from prmkit.train.machines import GIB, QWEN25, Machine

RESERVE = 2 * GIB
"""What a process takes before the first tensor: CUDA's context, NCCL's buffers."""

_HEADROOM = 0.95
"""Share of the rest that can be used: the allocator leaves gaps."""


def estimate(
    model: ModelConfig, train: TrainConfig, machine: Machine, *, mfu: float, tokens: int | None
) -> dict[str, Any]:
    """The plan of a training, as JSON.

    Keys: ``machine``; ``parameters``; ``gib`` (memory of a device by part, in GiB, and of the device); ``fits``;
    ``step`` (an optimiser step: sequences, tokens, flops, seconds); ``flops`` and ``hours`` of the whole training, None
    without ``tokens``; ``pretraining_flops``. Sequences count as full, with every token attending to half of the others
    on average: less for trees, so time and FLOPs are upper bounds.

    Args:
        model: backbone and length.
        train: the optimisation; its devices and num_nodes give way to the machine.
        machine: what trains.
        mfu: assumed share of the peak in bf16.
        tokens: of the whole training, all epochs together; None if unknown.

    Raises:
        InputError: the backbone is nowhere to be found, its architecture is one whose layers cannot be counted, or the
            devices do not divide.
    """
    if machine.count % train.tensor_parallel:
        raise InputError(
            "the devices do not divide into groups that share each matrix",
            where="train.tensor_parallel",
            got=train.tensor_parallel,
            expected=f"a divisor of {machine.count}",
        )
    config = backbone_config(model.name)
    length = train.pack_tokens or model.max_length if train.packing != "none" else model.max_length
    try:
        memory = footprint(config, train, length, machine.count)
        cost = forward_flops(skeleton(config), PRM(skeleton(config)).score)
    except (AttributeError, IndexError, TypeError, ValueError, RuntimeError) as error:
        # Layers are counted without numbers in them, which some architectures look at.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"what a training of this architecture takes cannot be counted ahead ({reason})",
            where=model.name,
            got=config.model_type,
            cure="Try a few steps of it.",
        ) from None
    sequences = machine.count // train.tensor_parallel * train.batch_size * train.accumulate
    flops = sequences * (3.0 if train.lora is None else 2.0) * cost.of(length)
    speed = mfu * machine.device.peak * machine.count
    recomputing = 4 / 3 if train.gradient_checkpointing else 1.0  # MFU leaves recomputed activations out, time does not
    whole = tokens / (sequences * length) if tokens is not None else math.nan
    usable = (machine.device.memory - RESERVE) * _HEADROOM
    return {
        "machine": f"{machine.count}x{machine.kind}",
        "parameters": parameters(config),
        "gib": {
            **{name: value / GIB for name, value in memory.parts().items()},
            "reserve": RESERVE / GIB,
            "total": (memory.total + RESERVE) / GIB,
            "device": machine.device.memory / GIB,
        },
        "fits": memory.total <= usable,
        "step": {
            "sequences": sequences,
            "tokens": sequences * length,
            "flops": flops,
            "seconds": flops * recomputing / speed,
        },
        "flops": None if tokens is None else flops * whole,
        "hours": None if tokens is None else flops * recomputing * whole / speed / 3600,
        "mfu": mfu,
        "pretraining_flops": pretraining_flops(model.name, config),
    }


def backbone_config(name: str) -> PretrainedConfig:
    """The config of a backbone: that of a Qwen2.5 by its name, so that no network is needed, or the stored one.

    Raises:
        InputError: there is neither.
    """
    parts = name.partition("@")[0].rpartition("/")[2].lower().split("-")
    sizes = [part for part in parts if part in QWEN25]
    if Path(name).is_dir() or parts[0] != "qwen2.5" or not sizes:
        return load_config(name)
    width, layers, heads, kv_heads, inner, vocabulary = QWEN25[sizes[0]]
    return Qwen2Config(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        intermediate_size=inner,
        vocab_size=vocabulary,
    )
