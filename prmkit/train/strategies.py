"""How devices share the work: what a recipe asks for, as Lightning's strategies."""

import os
from importlib.util import find_spec
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import DeepSpeedStrategy, ModelParallelStrategy, Strategy

from prmkit.errors import InputError
from prmkit.train.config import TrainConfig


def strategy_of(config: TrainConfig) -> str | Strategy:
    """Lightning's strategy for a recipe.

    Raises:
        InputError: the machine has fewer devices, their number does not fit the mesh, or DeepSpeed is missing.
    """
    _refuse_missing_devices(config)
    if config.strategy == "fsdp2":
        return _sharded(config)
    if config.strategy == "deepspeed":
        return _deepspeed()
    if config.strategy == "ddp" and config.head_warmup:
        # While the backbone is only read, its weights get no gradient, which DDP must be told to expect.
        return "ddp_find_unused_parameters_true"
    return config.strategy


def data_parallel(trainer: pl.Trainer | None) -> tuple[int, int]:
    """Into how many parts each optimiser step's batches are dealt, and which of them is this process's.

    Processes that share each matrix (tensor parallelism) get the same part.
    """
    kwargs = getattr(trainer.strategy, "distributed_sampler_kwargs", None) if trainer is not None else None
    return (kwargs["num_replicas"], kwargs["rank"]) if kwargs else (1, 0)


def devices_here(config: TrainConfig) -> int:
    """Devices of this machine that a recipe uses."""
    if config.devices != "auto":
        return config.devices
    return max(1, torch.cuda.device_count()) if torch.cuda.is_available() else 1


def _refuse_missing_devices(config: TrainConfig) -> None:
    """Lightning would start any number of processes on a CPU, and a typing error would fill the machine."""
    on_gpu = torch.cuda.is_available()
    there = torch.cuda.device_count() if on_gpu else os.cpu_count() or 1
    if config.devices != "auto" and config.devices > there:
        raise InputError(
            "this machine has fewer devices",
            where="train.devices",
            got=config.devices,
            expected=f"at most {there} ({'GPUs' if on_gpu else 'CPU cores'})",
        )


def _sharded(config: TrainConfig) -> ModelParallelStrategy:
    devices, shared = devices_here(config), config.tensor_parallel
    if devices % shared:
        raise InputError(
            "the devices of a machine do not divide into groups that share each matrix",
            where="train.tensor_parallel",
            got=shared,
            expected=f"a divisor of {devices}",
        )
    return ModelParallelStrategy(data_parallel_size=devices * config.num_nodes // shared, tensor_parallel_size=shared)


def _deepspeed() -> Strategy:
    if find_spec("deepspeed") is None:
        raise InputError(
            "DeepSpeed is not installed", where="train.strategy", cure="pip install 'prmkit[deepspeed]', or use fsdp2."
        )
    return DeepSpeedStrategy(stage=3)


def clips_by_itself(strategy: Any) -> bool:
    """Whether a strategy clips gradients by itself: DeepSpeed's are out of anybody else's reach."""
    return isinstance(strategy, DeepSpeedStrategy)
