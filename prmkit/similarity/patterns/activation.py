"""Activation patterns A_i = |theta_i * dF/dtheta_i|: of one response by autograd, of a batch by its linear maps.

To first order A_i is how much F changes when weight i is removed. The gradient flows through all positions.

A weight W of a linear map y = W x has dF/dW = sum over positions of delta x^T with delta = dF/dy, so one backward pass
of a batch gives the gradient of every response, without a weight's own gradient ever being asked for. Padding adds
nothing: F does not see it, so its delta is 0.

Shapes: B responses, T tokens, I inputs and O outputs of a linear map.

Source: the paper, section "Pattern Similarity"; Wang et al. 2025 (AAAI-25).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from prmkit.errors import InputError
from prmkit.similarity.config import PatternKind
from prmkit.similarity.patterns.batches import ResponseBatch, embedding
from prmkit.similarity.patterns.parameters import Reference, Tile
from prmkit.similarity.patterns.targets import TargetValues

Target = Callable[[Reference, ResponseBatch], TargetValues]
Place = Callable[[int], Tensor]
"""The [B, size] fp32 tensor that the patterns of a tile shall be written to."""
Factors = dict[nn.Module, list[tuple[Tensor, Tensor]]]
"""Of each linear map, its inputs [B, T, I] and deltas [B, T, O], once for every time it was called. Tokens without a
delta may be left out."""


def single_patterns(
    model: Reference, batch: ResponseBatch, tiles: Sequence[Tile], target: Target, kind: PatternKind, place: Place
) -> Iterator[tuple[int, TargetValues]]:
    """Write the pattern of one response over each tile: any parameter, by autograd. The oracle of every other way."""
    assert len(batch) == 1, "autograd adds up the gradients of a batch"
    parameters = list({id(tile.weight.parameter): tile.weight.parameter for tile in tiles}.values())
    with differentiable(model, parameters):
        found = target(model, batch)
        gradients = torch.autograd.grad(found.values_B.sum(), parameters, allow_unused=True)
    by_parameter = dict(zip(map(id, parameters), gradients, strict=True))
    for index, tile in enumerate(tiles):
        gradient, out = by_parameter[id(tile.weight.parameter)], place(index)[0]
        if gradient is None:  # An expert that no token was sent to.
            out.zero_()
        else:
            out.copy_(gradient[tile.start : tile.stop].reshape(-1))
            _weigh(out, tile, kind)
        yield index, found


def batched_patterns(
    model: Reference, batch: ResponseBatch, tiles: Sequence[Tile], target: Target, kind: PatternKind, place: Place
) -> Iterator[tuple[int, TargetValues]]:
    """Write the patterns of a batch over each tile, from one backward pass. Every tile is of a linear map."""
    modules = {tile.weight.module for tile in tiles if tile.weight.module is not None}
    with differentiable(model, ()), embedding_starts_gradient(model) as starts, captured(modules) as factors:
        found = target(model, batch)
        torch.autograd.grad(found.values_B.sum(), starts, allow_unused=True)
    for index, tile in enumerate(tiles):
        tile_patterns(tile, factors, kind, place(index))
        yield index, found


def tile_patterns(tile: Tile, factors: Factors, kind: PatternKind, out: Tensor) -> None:
    """Write the patterns over a tile, [B, size], from what was captured.

    Raises:
        InputError: the module does not keep responses apart, as a routed expert does not.
    """
    module = tile.weight.module
    assert module is not None
    shape = (len(out), tile.stop - tile.start, tile.width)
    calls = factors.get(module, [])
    if not calls:  # Nothing of F depends on it.
        out.zero_()
        return
    if any(x.ndim != 3 or len(x) != len(out) for x, _ in calls):
        raise InputError("a linear map mixes responses", where=tile.weight.name, cure="Use engine: loop.")
    x_BTI, delta_BTO = (
        torch.cat(tensors, dim=1) if len(tensors) > 1 else tensors[0] for tensors in zip(*calls, strict=True)
    )
    left_BTR, right_BTC = (x_BTI, delta_BTO) if isinstance(module, Conv1D) else (delta_BTO, x_BTI)
    left_BRT = left_BTR[:, :, tile.start : tile.stop].transpose(1, 2).float()
    torch.bmm(left_BRT, right_BTC.float(), out=out.view(shape))
    _weigh(out, tile, kind)


@contextmanager
def captured(modules: Collection[nn.Module]) -> Iterator[Factors]:
    """Collect the inputs and deltas of linear maps while a forward and a backward pass run."""
    factors: Factors = {}

    def keep(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        inputs = args[0].detach()
        if output.requires_grad:
            output.register_hook(lambda delta: factors.setdefault(module, []).append(_where_delta(inputs, delta)))

    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        yield factors
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def embedding_starts_gradient(model: Reference) -> Iterator[list[Tensor]]:
    """Let gradients flow down to the embedded tokens; the list holds them after the forward pass."""
    starts: list[Tensor] = []

    def begin(module: nn.Module, args: object, output: Tensor) -> Tensor:
        starts.append(output.detach().requires_grad_(True))
        return starts[-1]

    handle = embedding(model).register_forward_hook(begin)
    try:
        yield starts
    finally:
        handle.remove()


@contextmanager
def differentiable(model: Reference, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Let gradients reach these parameters and no others, without dropout; then put everything back."""
    wanted = {id(parameter) for parameter in parameters}
    module = cast(nn.Module, model)
    before = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    modes = [(child, child.training) for child in module.modules()]
    try:
        module.eval()
        for parameter, _ in before:
            parameter.requires_grad_(id(parameter) in wanted)
        with torch.enable_grad():
            yield
    finally:
        for parameter, required in before:
            parameter.requires_grad_(required)
        for child, training in modes:
            child.training = training


def _where_delta(x_BTI: Tensor, delta_BTO: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs and deltas without most of the positions whose delta is 0, which add nothing to a gradient.

    Those are padding and, in the last layer, every token that F does not look at: all but one, for a next-token logit.
    """
    half = delta_BTO.shape[1] // 2
    if delta_BTO.ndim != 3 or int(delta_BTO[:, :, 0].count_nonzero(dim=1).max()) > half:  # most often, and cheap
        return x_BTI, delta_BTO
    lives_BT = (delta_BTO != 0).any(dim=2)
    most = max(int(lives_BT.sum(dim=1).max()), 1)
    if most > half:
        return x_BTI, delta_BTO
    kept_BK1 = lives_BT.byte().topk(most, dim=1).indices[:, :, None]
    x_BKI, delta_BKO = (one.gather(1, kept_BK1.expand(-1, -1, one.shape[2])) for one in (x_BTI, delta_BTO))
    return x_BKI, delta_BKO


def _weigh(out: Tensor, tile: Tile, kind: PatternKind) -> None:
    """Turn gradients into patterns, in place."""
    if kind == "weight_gradient":
        out.mul_(tile.values().reshape(-1).float())
    if kind != "signed_gradient":
        out.abs_()
