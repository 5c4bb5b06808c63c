"""Other people's PRMs as checkpoints of ours: the same scores, with one logit instead of two.

``softmax([z0, z1])[1] = sigmoid(z1 - z0)``, so two labels become one by subtraction.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import AutoModelForTokenClassification

from prmkit.errors import InputError
from prmkit.models.backbone import empty_backbone, load_config, stored_folder, stored_keys, stored_tensors
from prmkit.models.causes import ADAPTER_CONFIG, check_adapter, refusals, refuse_damaged, refuse_pointer
from prmkit.models.checkpoint import HEAD_KEYS, META_FILE, CheckpointMeta
from prmkit.models.loading import loading
from prmkit.models.names import model_folder
from prmkit.models.saving import write_folder
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.encode import StepEncoder
from prmkit.run.files import refuse_existing

ForeignForm = Literal["token-classification", "process-reward-model"]


def import_prm(name: str, out: Path, meta: CheckpointMeta) -> ForeignForm:
    """Write someone else's PRM as a checkpoint, and return the form it had.

    ``token-classification`` is that of TRL's PRMTrainer, one linear map to two labels: ``w h + b`` becomes
    ``relu(w h) - relu(-w h) + b``. ``process-reward-model`` is Qwen2.5-Math-PRM's, our head with two labels. The second
    label means a right step in both. Code that comes with a model is never run.

    Args:
        name: local folder, ``org/name`` or ``org/name@revision``, with safetensors.
        out: a new folder.
        meta: text format, label source and length, of which the model says nothing.

    Raises:
        InputError: the folder is neither, its head has another number of labels, its tokenizer does not know the step
            end or has no chat template for the format, or ``out`` exists.
    """
    source = stored_folder(name)
    load_config(name)
    encoder = StepEncoder(load_tokenizer(name), meta.format)
    meta = meta.model_copy(update={"format": encoder.format})
    keys = stored_keys(source)
    head = dict(stored_tensors(source, [key for key in keys.values() if key.startswith("score.")]))
    form = _form(name, head)
    backbone = empty_backbone(name, next(iter(head.values())).dtype)
    missing = [key for key in backbone.state_dict() if key not in keys]
    if missing:
        raise InputError("weights are missing", where=name, got=f"no {missing[0]}")
    wanted = {keys[key]: f"model.{key}" for key in backbone.state_dict()}

    def weights() -> Iterator[tuple[str, Tensor]]:
        for key, value in stored_tensors(source, wanted):
            yield wanted[key], value
        yield from (_one_map(head) if form == "token-classification" else _two_labels(head)).items()

    write_folder(
        out,
        weights=weights(),
        backbone=backbone,
        tokenizer=encoder.tokenizer,
        kind="RewardModel",
        labels=1,
        texts={META_FILE: meta.model_dump_json(by_alias=True, indent=2) + "\n"},
    )
    return form


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
    from peft import PeftConfig, PeftModel

    adapter = model_folder(str(adapter))
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (adapter / name).is_file():
            raise InputError(f"the folder has no {name}", where=adapter, expected="an adapter written by peft")
    refuse_existing(out)
    check_adapter(adapter / ADAPTER_CONFIG)
    weights = adapter / "adapter_model.safetensors"
    refuse_pointer(weights)
    refuse_damaged(weights)
    with refusals("adapter", str(adapter), adapter):
        config = PeftConfig.from_pretrained(str(adapter))
    with safe_open(weights, framework="pt") as stored:
        if not any(".score" in key for key in stored.keys()):  # noqa: SIM118
            raise InputError(
                "the adapter came without its head",
                where=adapter,
                cure="Train with task_type TOKEN_CLS, which saves it.",
            )
    below = base or config.base_model_name_or_path
    if not below:
        raise InputError("the adapter does not say which model it adapts", where=adapter, cure="Name it with --base.")
    source = stored_folder(below)  # refused in our own words where it is missing
    load_config(below)
    with refusals("model", below, source), loading(below):
        model = AutoModelForTokenClassification.from_pretrained(source, num_labels=2, trust_remote_code=False)
    with refusals("adapter", str(adapter), adapter):
        merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    with TemporaryDirectory(dir=out.parent if out.parent.is_dir() else None) as folder:
        merged.save_pretrained(folder)
        load_tokenizer(below).save_pretrained(folder)
        import_prm(folder, out, meta)


def _form(name: str, head: dict[str, Tensor]) -> ForeignForm:
    if {"score.weight", "score.bias"} == set(head):
        form, last = "token-classification", head["score.weight"]
    elif set(HEAD_KEYS) == set(head):
        form, last = "process-reward-model", head["score.2.weight"]
    else:
        raise InputError(
            "neither a PRM of TRL nor one of Qwen",
            where=name,
            got=f"a head of {', '.join(sorted(head)) or 'nothing'}",
            expected="score.weight and score.bias, or score.0.* and score.2.*",
        )
    if len(last) != 2:
        raise InputError("the head has another number of labels", where=name, got=len(last), expected="2")
    return form  # type: ignore[return-value]


def _one_map(head: dict[str, Tensor]) -> dict[str, Tensor]:
    """The head that gives ``w h + b`` through a ReLU, exactly: its positive part less its negative part."""
    weight, bias = head["score.weight"], head["score.bias"]
    width = weight.shape[1]
    inner, outer = torch.zeros(width, width, dtype=weight.dtype), torch.zeros(1, width, dtype=weight.dtype)
    inner[0], inner[1] = weight[1] - weight[0], weight[0] - weight[1]
    outer[0, 0], outer[0, 1] = 1.0, -1.0
    values = (inner, torch.zeros(width, dtype=weight.dtype), outer, (bias[1] - bias[0])[None])
    return dict(zip(HEAD_KEYS, values, strict=True))


def _two_labels(head: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: (head[key][1:] - head[key][:1] if key.startswith("score.2.") else head[key]) for key in HEAD_KEYS}
