"""Which parameters of a reference model make up an activation pattern, by decoder layer."""

from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.similarity.config import SimilarityConfig

OUTSIDE = -1
"""The layer of what stands outside the decoder layers: embedding, final norm, LM head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerParameters:
    """The chosen parameters of one layer, in the order of the model."""

    layer: int
    parameters: tuple[nn.Parameter, ...]

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(parameter.numel() for parameter in self.parameters)


def chosen_parameters(model: PreTrainedModel, config: SimilarityConfig) -> list[LayerParameters]:
    """The chosen parameters of each layer, first layer first, ``OUTSIDE`` last. A tied parameter stands there once.

    ``linear`` is every parameter of two or more dimensions inside a decoder layer (so fused experts count, norms and
    biases do not); ``attention`` is those of a module with ``attn`` or ``attention`` in its name, ``mlp`` the rest.

    Raises:
        InputError: the model has no list of decoder layers, fewer layers, nothing of the kind, or quantised weights.
    """
    prefix, count = _decoder(model)
    start, stop = config.layers or (0, count)
    if stop > count:
        raise InputError("no such layers", got=config.layers, expected=f"a range in [0, {count}]")
    by_layer: dict[int, list[nn.Parameter]] = {layer: [] for layer in range(start, stop)}
    if config.parameters == "all" and config.layers is None:
        by_layer[OUTSIDE] = []
    for name, parameter in model.named_parameters():
        layer = int(name.removeprefix(prefix).split(".")[0]) if name.startswith(prefix) else OUTSIDE
        if layer in by_layer and _is_chosen(name.removeprefix(prefix), parameter, config):
            if not parameter.is_floating_point():
                raise InputError(
                    "quantised weights have no gradient",
                    where=name,
                    got=parameter.dtype,
                    cure="Load the model unquantised.",
                )
            by_layer[layer].append(parameter)
    chosen = [LayerParameters(layer=layer, parameters=tuple(found)) for layer, found in by_layer.items() if found]
    if not chosen:
        raise InputError("the model has no such parameters", where="parameters", got=config.parameters)
    return chosen


def _decoder(model: PreTrainedModel) -> tuple[str, int]:
    count = int(model.config.get_text_config().num_hidden_layers)
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return f"{name}.", count
    raise InputError(
        "no list of decoder layers", where=type(model).__name__, expected=f"a ModuleList of {count} layers in the model"
    )


def _is_chosen(name: str, parameter: nn.Parameter, config: SimilarityConfig) -> bool:
    if config.parameters == "all":
        return True
    in_attention = any(word in name for word in ("attn", "attention"))
    wanted = config.parameters == "linear" or in_attention == (config.parameters == "attention")
    return wanted and parameter.ndim >= 2
