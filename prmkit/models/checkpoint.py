"""The checkpoint: a Hugging Face folder that vLLM serves as it is, and ``prmkit.json`` beside the weights.

Keys are those of the backbone's published folders (``model.*`` for most), and ``score.0.*`` and ``score.2.*`` (the
head).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from prmkit import __version__
from prmkit.errors import InputError
from prmkit.models.backbone import check_vocabulary, load_backbone, load_config, shown, stored_folder
from prmkit.models.context import context_of
from prmkit.models.loading import move
from prmkit.models.prm import PRM
from prmkit.models.saving import whole_weights, write_folder
from prmkit.models.stored_tensors import StoredTensors
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat

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
) -> None:
    """Write a checkpoint, all or nothing; adapters are merged. In a training over devices, all of them call this.

    Args:
        prm: the model.
        tokenizer: its tokenizer.
        folder: a new folder.
        meta: text format, label source and length.

    Raises:
        InputError: the folder exists.
    """
    write_folder(
        folder,
        weights=whole_weights(prm),
        backbone=prm.model,
        tokenizer=tokenizer,
        kind="RewardModel",
        labels=1,
        texts={META_FILE: meta.model_dump_json(by_alias=True, indent=2) + "\n"},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFacts:
    """What a checkpoint is, without loading its weights.

    ``parameters`` counts backbone and head, ``bytes`` the files of the weights. A problem stands between ``before`` and
    ``after``, special tokens spelled out.
    """

    architecture: str
    model_type: str
    parameters: int
    dtype: str
    bytes: int
    context: int
    vocabulary: int
    before: str
    after: str
    meta: CheckpointMeta


def inspect_checkpoint(name: str | Path) -> CheckpointFacts:
    """The facts of a checkpoint.

    Args:
        name: a folder, ``org/name`` or ``org/name@revision``.

    Raises:
        InputError: the folder is missing, is no checkpoint of a PRM, or lacks its tokenizer or chat template.
    """
    folder = stored_folder(str(name))
    _read_head(folder)
    config = load_config(str(folder))
    meta = read_meta(folder)
    prompter = StepEncoder(load_tokenizer(str(folder)), meta.format).prompter
    return CheckpointFacts(
        architecture=", ".join(config.architectures or ()),
        model_type=config.model_type,
        parameters=StoredTensors(folder).parameters,
        dtype=str(config.dtype).removeprefix("torch."),
        bytes=sum(file.stat().st_size for file in folder.glob("*.safetensors")),
        context=context_of(config) or 0,
        vocabulary=config.vocab_size,
        before=prompter.before,
        after=prompter.after,
        meta=meta,
    )


def load_prm(name: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype | None = None) -> LoadedPRM:
    """The PRM of a checkpoint in evaluation mode.

    Args:
        name: what ``save_prm`` wrote: a folder, ``org/name`` or ``org/name@revision``.
        device: where it shall live.
        dtype: of the parameters; None keeps the stored one, and then scores are those of the saved model bit for bit.

    Raises:
        InputError: the folder is missing, is no checkpoint of a PRM (the missing keys are named), or its head has
            another shape.
    """
    folder = stored_folder(str(name))
    head = _read_head(folder)
    meta = read_meta(folder)
    model, _ = load_backbone(str(folder), dtype, prefix="model.")
    prm = PRM(model, length=meta.max_length)
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
    move(prm.eval(), device, str(folder))
    return LoadedPRM(prm=prm, encoder=StepEncoder(tokenizer, meta.format), meta=meta)


def export_process_reward_model(folder: str | Path, out: Path) -> None:
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
    write_folder(
        out,
        weights=_two_labels(loaded.prm),
        backbone=backbone,
        tokenizer=loaded.encoder.tokenizer,
        kind="ProcessRewardModel",
        labels=2,
        texts={},
    )


def _two_labels(prm: PRM) -> Iterator[tuple[str, Tensor]]:
    for key, value in whole_weights(prm):
        yield key, torch.cat([torch.zeros_like(value), value]) if key.startswith("score.2.") else value


def _read_head(folder: Path) -> dict[str, Tensor]:
    stored = StoredTensors(folder)
    head = {key: stored[key] for key in HEAD_KEYS if key in stored}
    missing = [key for key in HEAD_KEYS if key not in head]
    if missing:
        raise InputError(
            "not the checkpoint of a PRM",
            where=folder,
            got=f"weights without {shown(missing)}",
            expected="a backbone, score.0.* and score.2.* in safetensors",
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
