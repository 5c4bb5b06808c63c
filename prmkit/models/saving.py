"""Weights to files: a Hugging Face folder, written tensor by tensor, so that no sharded model is whole in memory."""

import copy
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import orjson
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from prmkit.models.prm import PRM, architecture
from prmkit.models.readable import check_readable
from prmkit.models.stored_form import stored_form
from prmkit.run.files import whole_folder

_SHARD_BYTES = 5_000_000_000

Weights = Iterable[tuple[str, Tensor]]
"""Names and whole tensors; in a training over several devices, an iteration that all of them must make."""


def whole_weights(prm: PRM) -> Iterator[tuple[str, Tensor]]:
    """The weights and the persistent buffers of a PRM one by one, on the CPU: gathered where they are spread over
    devices, adapters merged, named and cut as folders of this architecture hold them.
    """
    yield from stored_form(prm.model, merged_weights(cast(nn.Module, prm.model)))
    for name, value in merged_weights(prm.score):
        yield f"score.{name}", value


def merged_weights(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The weights and the persistent buffers of a model by their names without adapters, one by one, on the CPU."""
    merged: list[str] = []
    seen: set[int] = set()
    for name, module in model.named_modules():
        if any(name.startswith(f"{one}.") for one in merged):
            continue
        if _is_adapter(module):
            merged.append(name)
            parts = _merged(module)
        else:
            parts = _held(module)
        for part, value in parts:
            whole = _whole(value)
            # What two modules share is written twice, since not every reader would share it again.
            place = name.removesuffix(".token_adapter")  # peft's, of single tokens
            yield f"{place}.{part}" if place else part, whole.clone() if id(value) in seen else whole
            seen.add(id(value))


def write_folder(
    folder: Path,
    *,
    weights: Weights,
    backbone: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    kind: str,
    labels: int,
    texts: Mapping[str, str],
) -> None:
    """Write a PRM's weights, config, tokenizer and text files into a new folder, as ``write_model`` does.

    In a training over several devices all of them call this, and the first one writes.

    Raises:
        InputError: the folder exists.
        RunError: transformers would not read the backbone again as it was written (see ``check_readable``).
        OSError: the disk is full, or the place must not be written.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized() and torch.distributed.get_rank():
        for _ in weights:
            continue
        return
    config = copy.deepcopy(backbone.config)
    config.architectures = [architecture(backbone, kind)]
    config.num_labels = labels

    def check(partial: Path) -> None:
        check_readable(partial, type(backbone))

    write_model(folder, weights=weights, config=config, tokenizer=tokenizer, texts=texts, check=check)


def write_model(
    folder: Path,
    *,
    weights: Weights,
    config: PretrainedConfig,
    tokenizer: PreTrainedTokenizerBase,
    texts: Mapping[str, str],
    check: Callable[[Path], None] | None = None,
) -> None:
    """Write weights, config, tokenizer and text files into a new folder, all or nothing.

    The config is changed: it gets the type of what is written, a PRM's head or the first weight, and says nothing of
    quantisation. What ``check`` raises of the folder, before it gets its name, leaves nothing of it.

    Raises:
        InputError: the folder exists.
        OSError: the disk is full, or the place must not be written.
    """
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # what is written is whole again
    try:
        with whole_folder(folder) as partial:
            config.dtype = _write_weights(weights, partial)
            config.save_pretrained(partial)
            tokenizer.save_pretrained(partial)
            for name, text in texts.items():
                (partial / name).write_text(text, encoding="utf-8")
            if check is not None:
                check(partial)
    except SafetensorError as error:
        # A full disk shall look like one: safetensors tells what the operating system refused in words of its own.
        refused = re.search(r"\(os error (\d+)\)", str(error))
        if refused is None:
            raise
        raise OSError(int(refused[1]), os.strerror(int(refused[1])), str(folder)) from None


def _write_weights(weights: Weights, folder: Path) -> torch.dtype:
    """Write safetensors of limited size, with an index if there are several, and return the type of the head, or of the
    first weight where there is no head.
    """
    files: list[list[str]] = []
    held: dict[str, Tensor] = {}
    total, size, dtype = 0, 0, None

    def flush() -> None:
        save_file(held, folder / f"part-{len(files)}", metadata={"format": "pt"})
        files.append(list(held))
        held.clear()

    for name, tensor in weights:
        if held and size + tensor.nbytes > _SHARD_BYTES:
            flush()
            size = 0
        held[name] = tensor
        total, size = total + tensor.nbytes, size + tensor.nbytes
        dtype = tensor.dtype if dtype is None or name.startswith("score.") else dtype
    flush()
    names = ["model.safetensors"]
    if len(files) > 1:
        names = [f"model-{number:05d}-of-{len(files):05d}.safetensors" for number in range(1, len(files) + 1)]
        places = {key: name for keys, name in zip(files, names, strict=True) for key in keys}
        index = {"metadata": {"total_size": total}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_bytes(orjson.dumps(index, option=orjson.OPT_INDENT_2))
    for number, name in enumerate(names):
        (folder / f"part-{number}").rename(folder / name)
    return dtype or torch.float32


def _held(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What a module itself holds of that which a folder must hold."""
    for name, value in module.named_parameters(recurse=False):
        yield name, _dequantized(module) if hasattr(value, "quant_state") else value
    for name, buffer in module.named_buffers(recurse=False):
        if name not in module._non_persistent_buffers_set:
            yield name, buffer


def _dequantized(module: nn.Module) -> Tensor:
    """The weight of a linear map in 4 bits, as the numbers that it stands for."""
    from peft.utils.integrations import dequantize_module_weight

    weight: Tensor = dequantize_module_weight(module).detach()
    return weight


def _is_adapter(module: nn.Module) -> bool:
    return hasattr(module, "get_base_layer")  # peft's own class is not asked for, since importing it takes seconds


def _merged(layer: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What is below an adapter, with the adapter added as its own kind adds it: in float32, then rounded once."""
    base = cast(Any, layer).get_base_layer()
    types = {name: value.dtype for name, value in base.state_dict().items()}
    if hasattr(getattr(base, "weight", None), "quant_state"):  # 4 bits, into which peft would merge
        delta = cast(Any, layer).get_delta_weight("default").float()
        for name, value in _held(base):
            yield name, (value.float() + delta).to(value.dtype) if name == "weight" else value
        return
    fresh = copy.deepcopy(layer).float()  # of the layer alone, so that no second model is in memory
    for each in fresh.modules():
        if _is_adapter(each):
            cast(Any, each).merge()
    below: nn.Module = cast(Any, fresh).get_base_layer()
    for name, module in below.named_modules():
        for part, value in _held(module):
            key = f"{name}.{part}" if name else part
            yield key, value.detach().to(types[key])


def _whole(value: Tensor) -> Tensor:
    # safetensors refuses views of longer buffers, such as a gathered weight with its padding.
    if hasattr(value, "ds_id"):  # a parameter of ZeRO-3, which only DeepSpeed can gather
        import deepspeed

        with deepspeed.zero.GatheredParameters([value]):
            return value.detach().cpu().clone()
    whole = value.detach()
    if isinstance(whole, DTensor):
        whole = whole.full_tensor()
    whole = whole.cpu()
    return whole.contiguous() if whole.untyped_storage().nbytes() == whole.nbytes else whole.clone()
