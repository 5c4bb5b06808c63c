"""Which parameters of a reference model make up an activation pattern, in parts that are compared and kept apart."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from prmkit.errors import InputError
from prmkit.models.prm import PRM
from prmkit.similarity.config import SimilarityConfig

OUTSIDE = -1
"""The layer of what stands outside the decoder layers: embedding, final norm, LM head."""

MERGED = -2
"""The layer of a sketch, which holds all layers together."""

Reference = PreTrainedModel | PRM
"""A model whose patterns are compared."""

_LONGEST_SIDE = 15_000
"""Wang et al.'s published code passes over longer tensors."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChosenParameter:
    """A chosen parameter. ``module`` is the linear map it is the matrix of; None for any other parameter."""

    name: str
    parameter: nn.Parameter
    module: nn.Module | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerPart:
    """The chosen parameters of one kind (attention, mlp, outside) in one layer, in the order of the model."""

    layer: int
    kind: str
    weights: tuple[ChosenParameter, ...]

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(weight.parameter.numel() for weight in self.weights)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tile:
    """Rows ``start`` to ``stop - 1`` of a weight (entries, of a vector): what is held of all responses at once."""

    part: int
    weight: ChosenParameter
    start: int
    stop: int

    @property
    def width(self) -> int:
        """Values of one row."""
        return self.weight.parameter.numel() // len(self.weight.parameter)

    @property
    def size(self) -> int:
        """Number of values."""
        return (self.stop - self.start) * self.width

    def values(self) -> Tensor:
        """The weights themselves, [rows, ...]."""
        return self.weight.parameter.detach()[self.start : self.stop]

    def split(self, rows: int) -> Iterator["Tile"]:
        """The tile in pieces of at most so many rows."""
        for start in range(self.start, self.stop, rows):
            yield Tile(part=self.part, weight=self.weight, start=start, stop=min(start + rows, self.stop))


def backbone(model: Reference) -> PreTrainedModel:
    """The Hugging Face model of a reference."""
    return model.model if isinstance(model, PRM) else model


def decoder(model: Reference) -> tuple[str, nn.ModuleList]:
    """What stands before the names of the decoder layers, and the layers.

    Raises:
        InputError: the model has no list of decoder layers.
    """
    count = int(backbone(model).config.get_text_config().num_hidden_layers)
    for name, module in cast(nn.Module, model).named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return f"{name}.", module
    raise InputError(
        "no list of decoder layers", where=type(model).__name__, expected=f"a ModuleList of {count} layers in the model"
    )


def chosen_parts(model: Reference, config: SimilarityConfig) -> list[LayerPart]:
    """The chosen parameters, first layer first, ``OUTSIDE`` last. A tied parameter stands there once.

    ``linear`` is every parameter of two or more dimensions inside a decoder layer (so fused experts count, norms and
    biases do not); ``attention`` is those of a module with ``attn`` or ``attention`` in its name, ``mlp`` the rest.

    Raises:
        InputError: the model has no list of decoder layers, fewer layers, nothing of the kind, or quantised weights.
    """
    prefix, layers = decoder(model)
    start, stop = _layer_range(config, len(layers))
    method = getattr(backbone(model).config, "quantization_config", None)
    if method is not None:  # Some methods keep their weights where no parameter shows them.
        raise _quantised(type(model).__name__, getattr(method, "quant_method", method))
    modules = {id(module.weight): module for module in layers.modules() if isinstance(module, nn.Linear | Conv1D)}
    found: dict[tuple[int, str], list[ChosenParameter]] = {}
    for name, parameter in cast(nn.Module, model).named_parameters():
        inside = name.startswith(prefix)
        layer = int(name.removeprefix(prefix).split(".")[0]) if inside else OUTSIDE
        if (inside and not start <= layer < stop) or not _is_chosen(name, parameter, inside, config):
            continue
        if not parameter.is_floating_point():
            raise _quantised(name, parameter.dtype)
        weight = ChosenParameter(name=name, parameter=parameter, module=modules.get(id(parameter)))
        found.setdefault((layer, _kind(name) if inside else "outside"), []).append(weight)
    parts = [LayerPart(layer=layer, kind=kind, weights=tuple(weights)) for (layer, kind), weights in found.items()]
    if not parts:
        raise InputError("the model has no such parameters", where="parameters", got=config.parameters)
    return sorted(parts, key=lambda part: (part.layer == OUTSIDE, part.layer, part.kind))


def tiles_of(parts: Iterable[tuple[int, LayerPart]]) -> list[Tile]:
    """Each weight of numbered parts as one tile."""
    return [
        Tile(part=number, weight=weight, start=0, stop=len(weight.parameter))
        for number, part in parts
        for weight in part.weights
    ]


@contextmanager
def merged_adapters(model: Reference, config: SimilarityConfig) -> Iterator[None]:
    """Count a LoRA adapter as part of the weights it adapts, unless the adapter itself is asked for."""
    adapted = [module for module in cast(nn.Module, model).modules() if hasattr(module, "lora_A")]
    merge = [module for module in adapted if config.parameters != "adapter" and not module.merged]
    try:
        for module in merge:
            module.merge()  # type: ignore[operator]  # peft's LoraLayer
        yield
    finally:
        for module in merge:
            module.unmerge()  # type: ignore[operator]


def layer_name(layer: int) -> str:
    """A layer as a message names it."""
    names = {OUTSIDE: "the parameters outside the decoder layers", MERGED: "the model"}
    return names.get(layer, f"layer {layer}")


def _layer_range(config: SimilarityConfig, count: int) -> tuple[int, int]:
    if config.layers is None:
        return 0, count
    start, stop = (count // 2, count - 2) if config.layers == "deep" else config.layers
    if stop > count or start >= stop:
        raise InputError(
            "no such layers",
            got=config.layers,
            expected=f"a range in [0, {count}]",
            cure="Set pattern.layers for this model.",
        )
    return start, stop


def _quantised(where: str, got: object) -> InputError:
    return InputError("quantised weights have no gradient", where=where, got=got, cure="Load the model unquantised.")


def _kind(name: str) -> str:
    return "attention" if any(word in name for word in ("attn", "attention")) else "mlp"


def _is_chosen(name: str, parameter: nn.Parameter, inside: bool, config: SimilarityConfig) -> bool:
    wanted = config.parameters
    if wanted == "adapter":
        return "lora_" in name
    if "lora_" in name:
        return False
    if wanted == "all":
        return inside or config.layers is None
    if not inside or parameter.ndim < 2:
        return False
    if wanted == "wang2025-code":
        return max(parameter.shape) <= _LONGEST_SIDE
    return wanted == "linear" or _kind(name) == wanted
