"""A PRM over a mesh of devices: matrices split over some (tensor parallelism), layers sharded over the others (FSDP2).

The model comes as a skeleton without memory; each process then reads just its own slices from the stored weights, so no
process ever holds a whole model.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.models.context import settle_rope
from prmkit.models.loading import described
from prmkit.models.prm import PRM, decoder_layers
from prmkit.models.stored_form import stored_weights
from prmkit.models.stored_tensors import StoredTensors
from prmkit.run.activity import busy
from prmkit.train.config import TrainConfig
from prmkit.train.made_up import row_scores

_STYLES: dict[str, Callable[[], ParallelStyle]] = {
    "colwise": ColwiseParallel,
    "rowwise": RowwiseParallel,
    # Norms of single heads (Qwen3's): whole on every device, which reads its own heads only and so knows just its share
    # of their gradient. What is sharded is the dimension before the last.
    "replicated_with_grad_allreduce": lambda: SequenceParallel(sequence_dim=2, use_local_output=True),
}


def shard(prm: PRM, mesh: DeviceMesh, config: TrainConfig, *, device: torch.device) -> None:
    """Split, shard and load a skeleton in place.

    Args:
        prm: a skeleton (see PRM.skeleton).
        mesh: of two dimensions, ``data_parallel`` and ``tensor_parallel``.
        config: the optimisation.
        device: where this process's part shall live.

    Raises:
        InputError: the heads or widths of the backbone cannot be split so, or its layers not sharded.
    """
    head = {name: value.detach().clone() for name, value in prm.score.named_parameters()}
    prm.score.to(torch.device("meta"))
    if mesh["tensor_parallel"].size() > 1:
        _split(prm, mesh["tensor_parallel"])
    if config.compile:
        compile_layers(prm)
    # Parameters stay as they are stored; with bf16-mixed they are cast as they are gathered, which halves the traffic.
    low = torch.bfloat16 if config.precision == "bf16-mixed" else None
    policy = MixedPrecisionPolicy(param_dtype=low, reduce_dtype=torch.float32 if low else None)
    for layer in decoder_layers(prm.model):
        for part in _of_other_types(layer):
            fully_shard(part, mesh=mesh["data_parallel"], mp_policy=policy)
        fully_shard(layer, mesh=mesh["data_parallel"], mp_policy=policy)
    fully_shard(prm, mesh=mesh["data_parallel"], mp_policy=policy)
    _load(prm, head, device)
    if not config.compile:
        _check(prm)


def _check(prm: PRM) -> None:
    """Read a row, since FSDP2 and DTensor say as late as then what they cannot do."""
    try:
        row_scores(prm)
        _reshard(prm)
    except (RuntimeError, AssertionError) as error:
        reason = (str(error).splitlines() or [""])[0]
        if not any(word in str(error) for word in ("DTensor", "FSDP", "sharded")):
            raise
        raise InputError(
            f"FSDP2 cannot shard this architecture ({reason[:160]})",
            where="train.strategy",
            got=prm.model.config.model_type,
            cure="Use auto or ddp, with train.lora where it does not fit.",
        ) from None


def _reshard(prm: PRM) -> None:
    """Let go of what the last forward pass gathered of the parts that are no layer."""
    cast(FSDPModule, prm).reshard()


def _of_other_types(layer: nn.Module) -> list[nn.Module]:
    """The parts of a layer whose weights have another type than its first, such as routers that stay in float32: what
    is gathered together has one type.
    """
    first = next(layer.parameters()).dtype
    return [part for part in layer.modules() if any(each.dtype != first for each in part.parameters(recurse=False))]


def compile_layers(prm: PRM) -> None:
    """Compile each decoder layer in place: one compilation serves all, since they are alike."""
    for layer in decoder_layers(prm.model):
        layer.compile()


def clip_gradients(parameters: Iterable[nn.Parameter], limit: float) -> None:
    """Scale all gradients together so that their global norm is at most ``limit``, wherever their parts are.

    Gradients of different meshes (split and unsplit matrices) cannot meet in one operation, so each mesh is a group.
    """
    groups: dict[DeviceMesh | None, list[nn.Parameter]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            groups.setdefault(mesh_of(parameter), []).append(parameter)
    norms = [nn.utils.get_total_norm([cast(Tensor, each.grad) for each in group]) for group in groups.values()]
    whole = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]
    for group in groups.values():
        nn.utils.clip_grads_with_norm_(group, limit, torch.stack(whole).norm())


def mesh_of(parameter: nn.Parameter) -> DeviceMesh | None:
    """The mesh over which a parameter is spread; None where it is whole."""
    return parameter.device_mesh if isinstance(parameter, DTensor) else None


def _split(prm: PRM, mesh: DeviceMesh) -> None:
    model = prm.model
    plan = getattr(model.config, "base_model_tp_plan", None)
    if not plan:
        raise InputError(
            "this architecture says nothing of how to split its matrices",
            where="train.tensor_parallel",
            got=model.config.model_type,
            cure="Set train.tensor_parallel to 1.",
        )
    for name in ("num_attention_heads", "num_key_value_heads", "intermediate_size"):
        size = getattr(model.config, name)
        if size % mesh.size():
            raise InputError(
                f"the backbone's {name} do not divide so",
                where="train.tensor_parallel",
                got=mesh.size(),
                expected=f"a divisor of {size}",
            )
    styles = {name: _STYLES[style]() for name, style in plan.items() if style in _STYLES}
    parallelize_module(model, mesh, styles)


def _load(prm: PRM, head: dict[str, Tensor], device: torch.device) -> None:
    """Give a sharded skeleton memory and the stored weights."""
    prm.to_empty(device=device)
    _derive(prm.model)
    settle_rope(prm.model, prm.length)
    assert prm.source is not None
    _read_backbone(prm, prm.source)
    for name, value in head.items():
        _place(prm.score.get_parameter(name), value)


def reload(prm: PRM, folder: Path) -> None:
    """Put the weights of a checkpoint in place of those of a sharded model. All processes call this."""
    _reshard(prm)
    _read_backbone(prm, folder)
    stored = StoredTensors(folder)
    for name, parameter in prm.score.named_parameters():
        _place(parameter, stored[f"score.{name}"])


def _read_backbone(prm: PRM, folder: Path) -> None:
    """Fill the backbone of a sharded model with the weights of a folder.

    Each process reads its own parts. Tensors that transformers joins or cuts, such as the experts of a mixture, and
    torch files are read by every process, one weight at a time.
    """
    stored, wanted = StoredTensors(folder), prm.model.state_dict()
    places, _ = stored_weights(prm.model, stored)
    plain = {name for name, place in places.items() if place.converter is None and stored.safe}
    with busy(f"loading {described(str(folder))}"):
        if plain:
            own = {places[name].keys[0][0]: wanted[name] for name in plain}
            load(own, storage_reader=HuggingFaceStorageReader(str(folder)))
        for name, place in places.items():
            if name not in plain:
                for each, value in place.made(name, stored, prm.model):
                    _place(wanted[each], value)


def _derive(model: PreTrainedModel) -> None:
    """Compute the buffers that no file holds, such as the angles of the rotary embedding, as transformers does."""
    for value in cast(nn.Module, model).parameters():
        value._is_hf_initialized = True  # type: ignore[attr-defined]  # and so leaves alone what files hold
    derived = [module for module in cast(nn.Module, model).modules() if module._non_persistent_buffers_set]
    with torch.no_grad():
        for module in [*derived, cast(nn.Module, model)]:
            model._init_weights(module)


def _place(target: Tensor, value: Tensor) -> None:
    """Fill a weight, or this process's part of it, with a value that every process holds whole."""
    with torch.no_grad():
        if isinstance(target, DTensor):
            value = distribute_tensor(
                value.to(target.device), target.device_mesh, target.placements, src_data_rank=None
            )
        target.copy_(value)
