"""Weights to files: a Hugging Face folder, written tensor by tensor, so that no sharded model is whole in memory."""

import copy
import os
import re
from collections.abc import Iterable, Iterator, Mapping
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
from prmkit.run.files import whole_folder

_SHARD_BYTES = 5_000_000_000

Weights = Iterable[tuple[str, Tensor]]
"""Names and whole tensors; in a training over several devices, an iteration that all of them must make."""


def whole_weights(prm: PRM) -> Iterator[tuple[str, Tensor]]:
    """The weights of a PRM one by one, on the CPU: gathered where they are spread over devices, adapters merged."""
    for name, module in prm.named_modules():
        if ".lora_" in name:
            continue
        if hasattr(module, "get_delta_weight"):
            yield f"{name}.weight", _merged(module)
            continue
        plain = name.removesuffix(".base_layer")
        for part, value in module.named_parameters(recurse=False):
            if not (name.endswith(".base_layer") and part == "weight"):
                yield f"{plain}.{part}", _whole(value)


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
        OSError: the disk is full, or the place must not be written.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized() and torch.distributed.get_rank():
        for _ in weights:
            continue
        return
    config = copy.deepcopy(backbone.config)
    config.architectures = [architecture(backbone, kind)]
    config.num_labels = labels
    write_model(folder, weights=weights, config=config, tokenizer=tokenizer, texts=texts)


def write_model(
    folder: Path,
    *,
    weights: Weights,
    config: PretrainedConfig,
    tokenizer: PreTrainedTokenizerBase,
    texts: Mapping[str, str],
) -> None:
    """Write weights, config, tokenizer and text files into a new folder, all or nothing.

    The config is changed: it gets the type of what is written, a PRM's head or the first weight, and says nothing of
    quantisation.

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


def _merged(module: nn.Module) -> Tensor:
    """The weight of a linear map with its adapter added."""
    from peft.utils.integrations import dequantize_module_weight

    adapter = cast(Any, module)
    weight = dequantize_module_weight(adapter.base_layer).detach()
    return _whole(weight + adapter.get_delta_weight("default").to(weight))


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
