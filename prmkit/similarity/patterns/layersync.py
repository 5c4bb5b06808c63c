"""Engine ``layersync``: all responses through one layer at a time, down once and up once.

Down: every response runs through the layers, and only the states between layers are kept. Up: one layer after the
other, from the last, is run again and differentiated; the inputs and deltas of its linear maps give the patterns of all
responses over a tile of a matrix, whose Gram is added up and the tile forgotten. So one gradient serves every pair,
memory is that of one layer, and with ``offload`` the weights of a layer are on the device twice in all, which lets a
model larger than the device be the reference.

Shapes: B responses of a batch, N of all, T tokens, H hidden size.

Source: the boundary catching of GPTQ (arXiv 2210.17323), turned to backward passes.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from prmkit.errors import InputError
from prmkit.models.backbone import accelerator
from prmkit.similarity.patterns.activation import Factors, captured, differentiable, tile_patterns
from prmkit.similarity.patterns.batches import ResponseBatch, embedding
from prmkit.similarity.patterns.job import FLOAT32, Job, TileGram, tile_gram
from prmkit.similarity.patterns.parameters import Reference, Tile, backbone, decoder
from prmkit.similarity.patterns.targets import TargetValues

# Share of the memory limit that a tile of all responses may take; the rest is for what the layer keeps.
_TILE_SHARE = 1 / 16
_OTHERWISE = "Use engine: hooks."


class LayerCall(NamedTuple):
    """How the model calls a layer: what it gives beside the hidden states."""

    hidden_BTH: Tensor
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def layersync_grams(job: Job, tiles: Sequence[Tile]) -> Iterator[TileGram]:
    """The Gram of every tile of a decoder layer, last layer first.

    Raises:
        InputError: a tile stands outside the decoder layers, or a layer mixes responses.
    """
    prefix, layers = decoder(job.model)
    by_layer: dict[int, list[Tile]] = {}
    for tile in tiles:
        if not tile.weight.name.startswith(prefix):
            raise InputError("layersync compares decoder layers only", got=tile.weight.name, cure="Use engine: loop.")
        by_layer.setdefault(int(tile.weight.name.removeprefix(prefix).split(".")[0]), []).append(tile)
    device = torch.device(accelerator()) if job.config.offload else job.device
    with ExitStack() as stack:
        stack.enter_context(differentiable(job.model, ()))
        if job.config.offload:
            stack.enter_context(_all_but_layers_on(job.model, layers, device))
        states = stack.enter_context(_states(on_disk=job.config.offload))
        _down(job, layers, states, device)
        yield from _up(job, layers, by_layer, states, device)


def _down(job: Job, layers: nn.ModuleList, states: "_States", device: torch.device) -> None:
    """Keep what enters each layer."""
    with torch.no_grad():
        for number, layer in enumerate(layers[:-1]):
            with _on(layer, device):
                for index, batch in enumerate(job.batches):
                    call = layer_calls(job.model, layers, batch)[number]
                    hidden_BTH = call.hidden_BTH if number == 0 else states.get(number, index, device)
                    if number == 0:
                        states.put(0, index, hidden_BTH)
                    states.put(number + 1, index, _run(layer, call, hidden_BTH))
        if len(layers) == 1:
            for index, batch in enumerate(job.batches):
                states.put(0, index, layer_calls(job.model, layers, batch)[0].hidden_BTH)


def _up(
    job: Job, layers: nn.ModuleList, by_layer: dict[int, list[Tile]], states: "_States", device: torch.device
) -> Iterator[TileGram]:
    """Differentiate one layer after the other. What entered it gives way to its delta."""
    for number in range(len(layers) - 1, min(by_layer) - 1, -1):
        layer, tiles = layers[number], by_layer.get(number, [])
        modules = {tile.weight.module for tile in tiles if tile.weight.module is not None}
        kept: list[Factors] = []
        with _on(layer, device):
            for index, (rows, batch) in enumerate(job.rows()):
                call = layer_calls(job.model, layers, batch)[number]
                hidden_BTH = states.get(number, index, device).requires_grad_(True)
                with captured(modules) as factors:
                    out_BTH = _run(layer, call, hidden_BTH)
                    if number == len(layers) - 1:
                        found = _target_after(job, layers, batch, out_BTH)
                        job.predict(rows, found)
                        (delta_BTH,) = torch.autograd.grad(found.values_B.sum(), hidden_BTH)
                    else:
                        (delta_BTH,) = torch.autograd.grad(out_BTH, hidden_BTH, states.get(number + 1, index, device))
                states.put(number, index, delta_BTH)
                kept.append(factors)
                job.done()
            states.drop(number + 1)
            rows_of = [rows for rows, _ in job.rows()]
            for tile in tiles:
                yield from _tile_grams(job, tile, kept, rows_of, device)


def _tile_grams(
    job: Job, whole: Tile, kept: Sequence[Factors], rows_of: Sequence[slice], device: torch.device
) -> Iterator[TileGram]:
    height = max(1, int(job.limit * _TILE_SHARE // (whole.width * job.responses * FLOAT32)))
    for tile in whole.split(height):
        patterns_NP = torch.empty(job.responses, tile.size, device=device)
        for rows, factors in zip(rows_of, kept, strict=True):
            tile_patterns(tile, factors, job.config.pattern, patterns_NP[rows])
        yield tile_gram(tile, patterns_NP)


def layer_calls(model: Reference, layers: nn.ModuleList, batch: ResponseBatch) -> list[LayerCall]:
    """How the model calls each layer for a batch; no layer runs.

    Raises:
        InputError: the layers do not hand on plain hidden states.
    """
    calls: list[LayerCall] = []

    def record(hidden_BTH: Tensor, *args: Any, **kwargs: Any) -> Any:
        _check_plain(model, hidden_BTH)
        calls.append(LayerCall(hidden_BTH, args, kwargs))
        return hidden_BTH

    with torch.no_grad(), _layers_replaced(layers, [record] * len(layers)):
        device = embedding(model).weight.device
        output = backbone(model).base_model(
            input_ids=batch.ids_BT.to(device), attention_mask=batch.mask_BT.to(device), use_cache=False
        )
    _check_plain(model, output.last_hidden_state)
    return calls


def _check_plain(model: Reference, hidden_BTH: Tensor) -> None:
    """Refuse a model that takes what a layer gives for a tuple, and goes on with its first item."""
    if hidden_BTH.ndim != 3:
        raise InputError("layersync cannot call the layers of this model", got=type(model).__name__, cure=_OTHERWISE)


def _target_after(job: Job, layers: nn.ModuleList, batch: ResponseBatch, out_BTH: Tensor) -> TargetValues:
    """The target, of a model whose last layer gives these states: final norm, head and all that a model does there."""

    def given(hidden_BTH: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return out_BTH

    with _layers_replaced(layers, [given] * len(layers)):
        return job.target(job.model, batch)


@contextmanager
def _layers_replaced(layers: nn.ModuleList, functions: Sequence[Callable[..., Any]]) -> Iterator[None]:
    for layer, function in zip(layers, functions, strict=True):
        layer.forward = function
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _run(layer: nn.Module, call: LayerCall, hidden_BTH: Tensor) -> Tensor:
    output = layer(hidden_BTH, *call.args, **call.kwargs)
    return cast(Tensor, output[0] if isinstance(output, tuple) else output)


def _on(module: nn.Module, device: torch.device) -> AbstractContextManager[None]:
    """Lend a module to a device."""
    return _lent([*module.parameters(), *module.buffers()], device)


def _all_but_layers_on(model: Reference, layers: nn.ModuleList, device: torch.device) -> AbstractContextManager[None]:
    inside = {id(tensor) for tensor in (*layers.parameters(), *layers.buffers())}
    module = cast(nn.Module, model)
    return _lent([t for t in (*module.parameters(), *module.buffers()) if id(t) not in inside], device)


@contextmanager
def _lent(tensors: Sequence[Tensor], device: torch.device) -> Iterator[None]:
    """Lend weights to a device; the originals stay where they are, so nothing is copied back."""
    home = [(tensor, tensor.data) for tensor in tensors]
    for tensor, data in home:
        tensor.data = data.to(device)
    try:
        yield
    finally:
        for tensor, data in home:
            tensor.data = data


class _States:
    """The states [B, T, H] that enter each layer, or their deltas, by layer and batch, in memory or on disk."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: dict[tuple[int, int], Tensor] = {}

    def put(self, layer: int, batch: int, state_BTH: Tensor) -> None:
        """Keep a state."""
        if self._folder is None:
            self._held[layer, batch] = state_BTH
        else:
            save_file({"state": state_BTH.contiguous()}, self._folder / f"{layer}-{batch}.safetensors")

    def get(self, layer: int, batch: int, device: torch.device) -> Tensor:
        """A state that was kept."""
        if self._folder is None:
            return self._held[layer, batch].detach()
        return load_file(self._folder / f"{layer}-{batch}.safetensors")["state"].to(device)

    def drop(self, layer: int) -> None:
        """Forget the states of a layer."""
        for file in self._folder.glob(f"{layer}-*.safetensors") if self._folder else ():
            file.unlink()
        for key in [key for key in self._held if key[0] == layer]:
            del self._held[key]


@contextmanager
def _states(*, on_disk: bool) -> Iterator[_States]:
    if not on_disk:
        yield _States(None)
        return
    with tempfile.TemporaryDirectory(prefix="prmkit-states-") as folder:
        yield _States(Path(folder))
