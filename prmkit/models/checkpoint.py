"""The checkpoint: a Hugging Face folder that vLLM serves as it is, and ``prmkit.json`` beside the weights.

Keys are ``model.*`` (the backbone), ``score.0.*`` and ``score.2.*`` (the head).
"""

import copy
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from huggingface_hub import save_torch_state_dict
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from prmkit import __version__
from prmkit.errors import InputError
from prmkit.models.backbone import check_vocabulary, load_backbone, load_tokenizer, shown
from prmkit.models.config import StepFormat
from prmkit.models.encode import StepEncoder
from prmkit.models.prm import PRM, architecture

HEAD_KEYS = ("score.0.weight", "score.0.bias", "score.2.weight", "score.2.bias")
META_FILE = "prmkit.json"


class CheckpointMeta(BaseModel):
    """What a PRM must be told beside its weights, so that it is read as it was trained."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(1, alias="schema", description="version of this record")
    format: StepFormat = Field(description="text around problem and steps")
    label_source: str = Field(description="where the labels came from; decides the default aggregation")
    max_length: int = Field(ge=1, description="longest sequence in tokens that it was trained on")
    prmkit_version: str = Field(__version__, description="the prmkit that wrote the folder")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPRM:
    """A PRM in evaluation mode, the tokenisation it was trained with, and its record."""

    prm: PRM
    encoder: StepEncoder
    meta: CheckpointMeta


def save_prm(
    prm: PRM,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    meta: CheckpointMeta,
    *,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint, all or nothing.

    Args:
        prm: the model.
        tokenizer: its tokenizer.
        folder: a new folder.
        meta: text format, label source and length.
        weights: a state dict to write in place of the PRM's present one, such as the best of a training.

    Raises:
        InputError: the folder exists.
    """
    write_folder(
        folder,
        weights=prm.state_dict() if weights is None else weights,
        backbone=prm.model,
        tokenizer=tokenizer,
        kind="RewardModel",
        labels=1,
        texts={META_FILE: meta.model_dump_json(by_alias=True, indent=2) + "\n"},
    )


def load_prm(folder: Path, device: str | torch.device = "cpu", dtype: torch.dtype | None = None) -> LoadedPRM:
    """The PRM of a checkpoint in evaluation mode.

    Args:
        folder: what ``save_prm`` wrote.
        device: where it shall live.
        dtype: of the parameters; None keeps the stored one, and then scores are those of the saved model bit for bit.

    Raises:
        InputError: the folder is missing, is no checkpoint of a PRM (the missing keys are named), or its head has
            another shape.
    """
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, cure="Check the path.")
    head = _read_head(folder)
    meta = read_meta(folder)
    model, _ = load_backbone(str(folder), dtype, prefix="model.")
    prm = PRM(model)
    width = int(model.config.hidden_size)
    for key in HEAD_KEYS:
        wanted = prm.score.get_parameter(key.removeprefix("score.")).shape
        if head[key].shape != wanted:
            raise InputError(
                f"{key} has another shape than the head of a PRM",
                where=folder,
                got=tuple(head[key].shape),
                expected=f"{tuple(wanted)} for a backbone of width {width}",
            )
    prm.score.load_state_dict({key.removeprefix("score."): tensor for key, tensor in head.items()})
    tokenizer = load_tokenizer(str(folder))
    check_vocabulary(model, tokenizer, where=folder)
    return LoadedPRM(prm=prm.eval().to(device), encoder=StepEncoder(tokenizer, meta.format), meta=meta)


def export_process_reward_model(folder: Path, out: Path) -> None:
    """Write a checkpoint in its second form, ``Qwen2ForProcessRewardModel`` (two labels, softmax).

    The form is exact: with rows [0; w] and biases [0; b], softmax([0, z])[1] = sigmoid(z). A server must be told the
    id of the step end (vLLM: ``step_tag_id``); its default is that of Qwen's own PRMs.

    Raises:
        InputError: ``folder`` is no checkpoint on a Qwen2 backbone, or ``out`` exists.
    """
    loaded = load_prm(folder)
    backbone = loaded.prm.model
    if backbone.config.model_type != "qwen2":
        raise InputError(
            "the two-label form exists for Qwen2 only", where=folder, got=backbone.config.model_type, expected="qwen2"
        )
    weights = loaded.prm.state_dict()
    for key in ("score.2.weight", "score.2.bias"):
        weights[key] = torch.cat([torch.zeros_like(weights[key]), weights[key]])
    write_folder(
        out,
        weights=weights,
        backbone=backbone,
        tokenizer=loaded.encoder.tokenizer,
        kind="ProcessRewardModel",
        labels=2,
        texts={},
    )


def write_folder(
    folder: Path,
    *,
    weights: Mapping[str, Tensor],
    backbone: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    kind: str,
    labels: int,
    texts: Mapping[str, str],
) -> None:
    """Write weights, config, tokenizer and text files into a new folder, all or nothing.

    Raises:
        InputError: the folder exists.
        OSError: the disk is full, or the place must not be written.
    """
    refuse_existing(folder)
    config = copy.deepcopy(backbone.config)
    config.architectures = [architecture(backbone, kind)]
    config.num_labels = labels
    config.dtype = weights["score.0.weight"].dtype
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        save_torch_state_dict({key: _own(value) for key, value in weights.items()}, partial, max_shard_size="5GB")
        config.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        for name, text in texts.items():
            (partial / name).write_text(text, encoding="utf-8")
        refuse_existing(folder)
        partial.rename(folder)
    except SafetensorError as error:
        # A full disk shall look like one: safetensors tells what the operating system refused in words of its own.
        refused = re.search(r"\(os error (\d+)\)", str(error))
        if refused is None:
            raise
        raise OSError(int(refused[1]), os.strerror(int(refused[1])), str(folder)) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse_existing(folder: Path) -> None:
    """Raise InputError if the folder exists: a checkpoint is never written over."""
    if folder.exists():
        raise InputError("the folder exists", where=folder, cure="Choose another name or remove it.")


def _own(tensor: Tensor) -> Tensor:
    # A weight gathered from its shards is a view of a longer, padded buffer, which safetensors refuses.
    return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()


def _read_head(folder: Path) -> dict[str, Tensor]:
    head: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="pt") as stored:
                head.update({key: stored.get_tensor(key) for key in stored.keys() if key in HEAD_KEYS})  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise InputError(f"cannot read the weights ({error})", where=file) from None
    missing = [key for key in HEAD_KEYS if key not in head]
    if missing:
        raise InputError(
            "not the checkpoint of a PRM",
            where=folder,
            got=f"weights without {shown(missing)}",
            expected="model.*, score.0.* and score.2.* in safetensors",
            cure="Name the folder that training wrote (RUN/checkpoint).",
        )
    return head


def read_meta(folder: Path) -> CheckpointMeta:
    """The record that stands beside the weights of a checkpoint.

    Raises:
        InputError: there is none, or it is of another schema.
    """
    file = folder / META_FILE
    if not file.is_file():
        raise InputError(
            f"the folder has no {META_FILE}", where=folder, expected="text format and label source of the PRM"
        )
    try:
        return CheckpointMeta.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(f"not a record of this schema ({key}: {first['msg']})", where=file) from None
