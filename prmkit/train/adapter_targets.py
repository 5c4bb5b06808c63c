"""Which weights of a backbone get a low-rank adapter. Without peft, so that plans can count them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn
from transformers.pytorch_utils import Conv1D

from prmkit.errors import InputError

_ROUTERS = {"router", "gate", "shared_expert_gate"}
"""What chooses among experts, by name: a small change of it changes everything behind it, so only who names it has it
adapted.
"""

_NOT_CALLED = {"dt_proj"}
"""Mamba's map of time steps: its weight is read without a call, in which an adapter would be added."""


@dataclass(frozen=True, slots=True)
class AdapterTargets:
    """Names within a backbone: linear maps and stacks of experts that get an adapter, and those that get none.

    A stack is one tensor of three dimensions for all experts of a layer.
    """

    maps: tuple[str, ...]
    stacks: tuple[str, ...]
    without: tuple[str, ...]

    def __str__(self) -> str:
        """One sentence for who watches."""
        said = f"adapters on {_kinds((*self.maps, *self.stacks))}"
        return f"{said}; none on {_kinds(self.without)}, unless train.lora.targets names them" if self.without else said


def adapter_targets(backbone: nn.Module, wanted: Sequence[str]) -> AdapterTargets:
    """What ``train.lora.targets`` names: ends of names. None named are all linear maps but routers, and no experts.

    Experts are left out since the adapted weights of a whole stack are computed in each step and kept for the backward
    pass, which takes the memory of another model.

    Raises:
        InputError: a name is that of no linear map and no experts.
    """
    maps = [
        name
        for name, part in backbone.named_modules()
        if isinstance(part, nn.Linear | Conv1D) and name.rpartition(".")[2] not in _NOT_CALLED
    ]
    stacks = [
        f"{name}.{key}"
        for name, part in backbone.named_modules()
        if not isinstance(part, nn.modules.conv._ConvNd)
        for key, value in part.named_parameters(recurse=False)
        if value.ndim == 3 and min(value.shape) > 1
    ]
    unknown = [end for end in wanted if not any(_ends(name, end) for name in (*maps, *stacks))]
    if unknown:
        raise InputError(
            "no part of the backbone has such a name",
            where="train.lora.targets",
            got=unknown,
            expected=f"some of {', '.join(sorted({_plain(name).rpartition('.')[2] for name in (*maps, *stacks)}))}",
        )
    if wanted:
        chosen = {name for name in (*maps, *stacks) if any(_ends(name, end) for end in wanted)}
        return AdapterTargets(tuple(n for n in maps if n in chosen), tuple(n for n in stacks if n in chosen), ())
    routers = [name for name in maps if _ROUTERS.intersection(name.split("."))]
    return AdapterTargets(tuple(name for name in maps if name not in routers), (), (*stacks, *routers))


def _ends(name: str, end: str) -> bool:
    return any(one == end or one.endswith(f".{end}") for one in (name, _plain(name)))


def _plain(name: str) -> str:
    return name.removesuffix(".weight")


def _kinds(names: Iterable[str]) -> str:
    """The names without their layers, each once."""
    parts = ([part for part in _plain(name).split(".") if not part.isdigit()] for name in names)
    return ", ".join(dict.fromkeys(".".join(part[1:]) for part in parts))
