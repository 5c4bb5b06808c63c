"""Which engine suits a model, its weights, the number of responses and the memory.

Shapes: B responses, T tokens.
"""

from collections.abc import Sequence

import torch
from torch import nn

from prmkit.errors import InputError
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.activation import batched_patterns, single_patterns
from prmkit.similarity.patterns.batches import batched, content_ids, embedding
from prmkit.similarity.patterns.job import FLOAT32, PatternSource
from prmkit.similarity.patterns.layersync import layer_calls
from prmkit.similarity.patterns.parameters import OUTSIDE, LayerPart, Reference, backbone, decoder
from prmkit.similarity.response import Response

MOST_FOR_GRAMS = 5000
"""Responses above which ``auto`` keeps sketches: Grams of every part would be larger than the patterns' worth."""


def choose_engine(
    model: Reference, parts: Sequence[LayerPart], responses: Sequence[Response], config: SimilarityConfig
) -> tuple[str, PatternSource, str]:
    """The engine, where it takes patterns from, and why.

    Raises:
        InputError: the engine that was asked for needs linear maps, and a parameter is of none; or as ``content_ids``,
            for the first response.
    """
    apart = _mixing(model, parts, responses[0])
    source: PatternSource = batched_patterns if apart is None else single_patterns
    need = len(responses) * sum(part.size for part in parts) * FLOAT32
    if config.engine in ("hooks", "layersync") and apart is not None:
        raise InputError(
            f"{apart} is no linear map that keeps responses apart", got=config.engine, cure="Use engine: loop."
        )
    if config.engine == "loop":
        return "loop", single_patterns, "as asked"
    if config.engine != "auto":
        return config.engine, source, "as asked"
    if len(responses) > MOST_FOR_GRAMS:
        # A sketch holds all layers together, so it has no norm of each.
        engine = "mean" if config.normalise == "layer" else "sketch"
        return engine, source, f"{len(responses)} responses are more than {MOST_FOR_GRAMS}"
    if apart is not None:
        return "loop", source, f"{apart} is no linear map that keeps responses apart"
    fits = f"all patterns take {need / 2**30:.3g} GiB of {config.memory_gib:g}"
    if need <= config.memory_gib * 2**30 or not _has_plain_layers(model, parts, responses[0]):
        return "hooks", source, fits
    return "layersync", source, fits


def refuse_unsuited(engine: str, config: SimilarityConfig) -> None:
    """Raise InputError for what an engine cannot do: a sketch with a norm of each layer."""
    if engine == "sketch" and config.normalise == "layer":
        raise InputError(
            "a sketch holds all layers together", got="normalise: layer", cure="Use normalise: whole or engine: mean."
        )


def _mixing(model: Reference, parts: Sequence[LayerPart], response: Response) -> str | None:
    """The first chosen parameter whose gradient a batch does not give by response; None if there is none."""
    mixing: list[nn.Module] = []

    def look(module: nn.Module, args: tuple[torch.Tensor, ...], output: object) -> None:
        if args[0].ndim != 3:
            mixing.append(module)

    ids = content_ids(model, response)
    weights = [weight for part in parts for weight in part.weights]
    for weight in weights:
        if weight.module is None:
            return weight.name
    handles = [weight.module.register_forward_hook(look) for weight in weights if weight.module is not None]
    try:
        with torch.no_grad():
            backbone(model).base_model(input_ids=torch.tensor([ids], device=embedding(model).weight.device))
    finally:
        for handle in handles:
            handle.remove()
    return next((weight.name for weight in weights if weight.module in mixing), None)


def _has_plain_layers(model: Reference, parts: Sequence[LayerPart], response: Response) -> bool:
    """Whether ``layersync`` can call the layers of the model itself."""
    if any(part.layer == OUTSIDE for part in parts):
        return False
    try:
        layer_calls(model, decoder(model)[1], batched(model, [response], 1)[0])
    except InputError:
        return False
    return True
