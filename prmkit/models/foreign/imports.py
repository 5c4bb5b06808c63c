"""Other people's PRMs as checkpoints of ours: the same scores, with one logit instead of two.

``softmax([z0, z1])[1] = sigmoid(z1 - z0)``, so two labels become one by subtraction.
"""

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from prmkit.errors import InputError
from prmkit.models.backbone import check_vocabulary, empty_backbone, load_backbone, load_config, shown, stored_folder
from prmkit.models.causes import refusals
from prmkit.models.checkpoint import META_FILE, CheckpointMeta
from prmkit.models.folder import ADAPTER_CONFIG, check_adapter, refuse_damaged, refuse_pointer
from prmkit.models.foreign.heads import Head, is_of_head, read_head
from prmkit.models.names import model_folder
from prmkit.models.saving import Weights, merged_weights, write_folder
from prmkit.models.stored_form import stored_form, stored_weights
from prmkit.models.stored_tensors import StoredTensors
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.encode import StepEncoder
from prmkit.run.files import refuse_existing

_TEXTS = (".json", ".jinja", ".txt", ".model")
"""Endings of the files of a tokenizer."""

ForeignForm = Literal["token-classification", "process-reward-model", "value-head"]


def import_prm(name: str, out: Path, meta: CheckpointMeta) -> ForeignForm:
    """Write someone else's PRM as a checkpoint, and return the form it had.

    ``token-classification`` is that of TRL's PRMTrainer, one linear map to two labels: ``w h + b`` becomes
    ``relu(w h) - relu(-w h) + b``. ``process-reward-model`` is Qwen2.5-Math-PRM's, our head with two labels, of which
    the second means a right step in both. ``value-head`` is one linear map to one logit. Code that comes with a model
    is never run.

    Args:
        name: local folder, ``org/name`` or ``org/name@revision``.
        out: a new folder.
        meta: text format, label source and length, of which the model says nothing.

    Raises:
        InputError: the folder is none of them or prmkit's own, its head has another number of labels, its tokenizer
            does not know the step end or has no chat template for the format, or ``out`` exists.
    """
    source = stored_folder(name)
    if (source / META_FILE).is_file():
        raise InputError("the folder is a checkpoint of prmkit's already", where=name, cure="Use it as it is.")
    load_config(name)
    encoder = StepEncoder(load_tokenizer(name), meta.format)
    stored = StoredTensors(source)
    head = read_head(stored, name)
    backbone = empty_backbone(name, head.weight_1H.dtype)
    _check_width(head, backbone, name)
    places, missing = stored_weights(backbone, stored)
    if missing:
        raise InputError("weights are missing", where=name, got=f"no {shown(sorted(missing))}")
    wanted, prefix = backbone.state_dict(), f"{backbone.base_model_prefix or 'model'}."

    def weights() -> Iterator[tuple[str, Tensor]]:
        for place in places.values():
            for key, _ in place.keys:
                yield (prefix + key if key in wanted else key), stored[key]
        yield from head.weights().items()

    _write(out, weights(), backbone, encoder, meta)
    if head.labels == 1:
        return "value-head"
    return "token-classification" if head.inner is None else "process-reward-model"


def _write(out: Path, weights: Weights, backbone: PreTrainedModel, encoder: StepEncoder, meta: CheckpointMeta) -> None:
    meta = meta.model_copy(update={"format": encoder.format})
    write_folder(
        out,
        weights=weights,
        backbone=backbone,
        tokenizer=encoder.tokenizer,
        kind="RewardModel",
        labels=1,
        texts={META_FILE: meta.model_dump_json(by_alias=True, indent=2) + "\n"},
    )


def merge_adapter(adapter: str | Path, out: Path, meta: CheckpointMeta, *, base: str | None = None) -> None:
    """Write a PRM that someone trained with peft, as TRL's PRMTrainer does with LoRA, as a checkpoint: merged, then
    imported.

    Args:
        adapter: a folder with adapter_config.json and adapter_model.safetensors, the head among its weights; or
            ``org/name`` or ``org/name@revision``.
        out: a new folder.
        meta: text format, label source and length.
        base: the language model beneath, if it is not where the adapter's config says.

    Raises:
        InputError: the folder holds no such adapter, or as ``import_prm``.
    """
    adapter = model_folder(str(adapter))
    if not (adapter / ADAPTER_CONFIG).is_file():
        raise InputError(f"the folder has no {ADAPTER_CONFIG}", where=adapter, expected="an adapter written by peft")
    settings = check_adapter(adapter / ADAPTER_CONFIG)
    for file in adapter.glob("adapter_model.*"):
        refuse_pointer(file)
    for file in adapter.glob("*.safetensors"):
        refuse_damaged(file)
    held = StoredTensors(adapter)
    if not held:
        raise InputError(
            "the folder has no adapter_model.safetensors", where=adapter, expected="an adapter written by peft"
        )
    refuse_existing(out)
    own = {_plain(key): held[key] for key in held if ".original_module." not in key}
    below = base or str(settings.get("base_model_name_or_path") or "")
    if not below:
        raise InputError("the adapter does not say which model it adapts", where=adapter, cure="Name it with --base.")
    found = StoredTensors(stored_folder(below))  # refused in our own words where it is missing
    beneath = {} if any(map(is_of_head, own)) else {key: found[key] for key in found if is_of_head(key)}
    saved = "peft saves it where task_type is TOKEN_CLS or modules_to_save names it."
    head = read_head({**beneath, **own}, adapter, cure=saved)
    tokenizer = _tokenizer(adapter, below)
    encoder = StepEncoder(tokenizer, meta.format)
    backbone, _ = load_backbone(below, None)
    _check_width(head, backbone, adapter)
    rest = _trained_whole(backbone, {key: value for key, value in own.items() if not is_of_head(key)}, adapter)
    check_vocabulary(backbone, tokenizer, where=adapter)
    _add_adapter(backbone, rest, adapter)

    def weights() -> Iterator[tuple[str, Tensor]]:
        yield from stored_form(backbone, merged_weights(cast(nn.Module, backbone)))
        yield from head.weights().items()

    _write(out, weights(), backbone, encoder, meta)


def _check_width(head: Head, backbone: PreTrainedModel, where: object) -> None:
    width = int(backbone.config.hidden_size)
    if head.weight_1H.shape[1] != width:
        raise InputError(
            f"the head {head.name} belongs to another model",
            where=where,
            got=f"a width of {head.weight_1H.shape[1]}",
            expected=f"that of the backbone, {width}",
        )


def _tokenizer(adapter: Path, below: str) -> PreTrainedTokenizerBase:
    """That of an adapter, which may know more tokens, or of the model beneath where the adapter brings none."""
    if not any((adapter / file).is_file() for file in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        return load_tokenizer(below)
    with TemporaryDirectory() as folder:  # as a model, which an adapter's folder is none of
        for file in adapter.iterdir():
            if file.is_file() and not file.name.startswith(("adapter_", "config.json")) and file.suffix in _TEXTS:
                shutil.copy(file, folder)
        load_config(below).save_pretrained(folder)
        return load_tokenizer(folder)


def _plain(key: str) -> str:
    """The name of a weight in an adapter's file without what peft puts around it."""
    name = key.removeprefix("base_model.model.").removeprefix("base_model.")
    return name.replace(".modules_to_save.default.", ".").replace(".modules_to_save.", ".").replace(".base_layer.", ".")


def _trained_whole(backbone: PreTrainedModel, tensors: dict[str, Tensor], adapter: Path) -> dict[str, Tensor]:
    """Put in place what was trained or saved whole, such as the embeddings of added tokens; return the rest by its name
    in the backbone.
    """
    prefix = f"{backbone.base_model_prefix or 'model'}."
    named = {key.removeprefix(prefix): value for key, value in tensors.items()}
    words = backbone.get_input_embeddings()
    where = next(name for name, part in cast(nn.Module, backbone).named_modules() if part is words)
    rows = named.get(f"{where}.weight")
    if rows is not None and len(rows) != len(cast(Tensor, words.weight)):
        backbone.resize_token_embeddings(len(rows), mean_resizing=False)
    places = backbone.state_dict()
    for name in [name for name in named if name in places]:
        value = named.pop(name)
        if value.shape != places[name].shape:
            raise InputError(
                f"{name} has another shape than in the language model beneath",
                where=adapter,
                got=tuple(value.shape),
                expected=str(tuple(places[name].shape)),
                cure="Name the model that the adapter was trained on with --base.",
            )
        with torch.no_grad():
            places[name].copy_(value)
    return named


def _add_adapter(backbone: PreTrainedModel, tensors: dict[str, Tensor], adapter: Path) -> None:
    """Put an adapter into a backbone, unmerged."""
    from peft import PeftConfig, inject_adapter_in_model, set_peft_model_state_dict

    with refusals("adapter", str(adapter), adapter):
        config = PeftConfig.from_pretrained(str(adapter))
    config.modules_to_save = None  # they are in place
    config.inference_mode = True
    # Below its name in the model that was trained, by which a config may name all targets.
    prefix = backbone.base_model_prefix or "model"
    whole: Any = nn.Module()
    whole.config, whole.base_model_prefix = backbone.config, prefix
    whole.add_module(prefix, cast(nn.Module, backbone))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft's, about what is none of the user's concern
            inject_adapter_in_model(config, whole)
            named = {f"{prefix}.{key}": value for key, value in tensors.items()}
            result: Any = set_peft_model_state_dict(whole, named)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"the adapter does not fit the language model beneath ({reason})",
            where=adapter,
            cure="Name the model that it was trained on with --base.",
        ) from None
    absent = [key for key in result.missing_keys if "lora_" in key]
    if result.unexpected_keys or absent:
        raise InputError(
            "the adapter does not fit the language model beneath",
            where=adapter,
            got=f"no {shown(absent)}" if absent else f"no place for {shown(sorted(result.unexpected_keys))}",
            cure="Name the model that it was trained on with --base.",
        )
