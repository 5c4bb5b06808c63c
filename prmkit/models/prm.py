"""The Process Reward Model: a causal backbone and a scalar head, read at the ends of steps.

Shapes: B rows, T tokens, S steps, H hidden size.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.models.backbone import check_vocabulary, empty_backbone, load_backbone, shown, stored_folder
from prmkit.models.config import ModelConfig
from prmkit.models.context import context_of, settle_rope
from prmkit.models.layout import laid_out, packed_layout
from prmkit.models.stored_form import stored_weights
from prmkit.models.stored_tensors import StoredTensors
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.sequence import Packing


class PRM(nn.Module):
    """A backbone with ``score = Linear(h, h), ReLU, Linear(h, 1)``; sigmoid of its logit is the step score.

    The head starts as a fresh draw from torch's random stream.

    Source: the paper, B.1; the layout of the state keys is that of vLLM's Qwen2ForRewardModel.

    Args:
        model: a causal model without LM head.
        head_dropout: share of the head's inputs that are dropped, while training only.
        length: the longest text in tokens that it shall read; default: its whole context.

    ``context`` is the longest text in tokens that it reads as it is meant to. While ``read_only`` is set, the backbone
    gets no gradients.
    """

    def __init__(self, model: PreTrainedModel, *, head_dropout: float = 0.0, length: int | None = None) -> None:
        super().__init__()
        self.model = model
        self.length = length
        self.context = settle_rope(model, length)
        width = int(model.config.hidden_size)
        self.dropout = nn.Dropout(head_dropout)
        self.score = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)).to(_head_dtype(model))
        self.source: Path | None = None
        self.read_only = False

    @classmethod
    def from_backbone(cls, name: str, config: ModelConfig, **options: Any) -> "PRM":
        """A PRM with pretrained backbone and fresh head, on the CPU.

        Args:
            name: local folder or hub id of a causal LM or of its base model.
            config: dtype, dropout and the length that the backbone must be able to read.
            options: for the loading, such as a quantisation.

        Raises:
            InputError: the folder is missing or no model, its weights are incomplete or those of a PRM, its vocabulary
                is smaller than its tokenizer's, or its context is shorter than ``config.max_length``.
        """
        model, unplaced = load_backbone(name, getattr(torch, config.dtype), **options)
        _check_backbone(model, name, unplaced, config)
        return cls(model, head_dropout=config.head_dropout, length=config.max_length)

    @classmethod
    def skeleton(cls, name: str, config: ModelConfig) -> "PRM":
        """The same PRM without memory for its backbone, whose weights stay in the folder ``source``; the head is there.

        Raises:
            InputError: as ``from_backbone``, or layers share weights.
        """
        source = stored_folder(name)
        keys = set(StoredTensors(source))
        model = empty_backbone(name, getattr(torch, config.dtype))
        _check_backbone(model, name, keys, config)
        every = [id(value) for _, value in cast(nn.Module, model).named_parameters(remove_duplicate=False)]
        if model.all_tied_weights_keys or len(set(every)) < len(every):
            raise InputError(
                "layers of this architecture share weights, which cannot be sharded",
                where=name,
                got=model.config.model_type,
                cure="Train it with strategy: auto or ddp.",
            )
        _, missing = stored_weights(model, keys)
        if missing:
            raise InputError("weights are missing", where=name, got=f"no {shown(sorted(missing))}")
        prm = cls(model, head_dropout=config.head_dropout, length=config.max_length)
        prm.source = source
        return prm

    def forward(
        self, input_ids_BT: Tensor, attention_mask_BT: Tensor, ends_BS: Tensor, packing: Packing | None = None
    ) -> Tensor:
        """Raw logits at the ends of steps, shape (B, S); sigmoid gives step scores.

        Args:
            input_ids_BT: token ids, padded on the right.
            attention_mask_BT: 1 for tokens, 0 for padding.
            ends_BS: index of each step's last token; what stands at padded steps is up to the caller to ignore.
            packing: where several paths share a sequence; None for one path each.
        """
        with torch.no_grad() if self.read_only else nullcontext():
            hidden_BTH = self._hidden(input_ids_BT, attention_mask_BT, packing)
        # Gathered before the head: step ends are some 2 % of the tokens.
        hidden_BSH = hidden_BTH.gather(1, ends_BS[:, :, None].expand(-1, -1, hidden_BTH.shape[-1]))
        # No view of the head's output: FSDP2 warns of those.
        return cast(Tensor, self.score(self.dropout(hidden_BSH))).squeeze(-1).clone()

    def _hidden(self, input_ids_BT: Tensor, attention_mask_BT: Tensor, packing: Packing | None) -> Tensor:
        inputs = {"input_ids": input_ids_BT, "attention_mask": attention_mask_BT, "use_cache": False}
        if packing is None:
            return cast(Tensor, self.model(**inputs).last_hidden_state)
        with laid_out(packed_layout(packing)):
            return cast(Tensor, self.model(position_ids=packing.positions_BT, **inputs).last_hidden_state)


def _head_dtype(model: PreTrainedModel) -> torch.dtype:
    return model.dtype if model.dtype.is_floating_point else torch.float32  # weights in 4 bits are no numbers


def decoder_layers(model: PreTrainedModel) -> list[nn.Module]:
    """The layers of a backbone: what is sharded, compiled and recomputed as one."""
    names = set(model._no_split_modules or ())
    return [module for module in cast(nn.Module, model).modules() if type(module).__name__ in names]


def _check_backbone(model: PreTrainedModel, name: str, unplaced: set[str], config: ModelConfig) -> None:
    if any(key.startswith("score.") for key in unplaced):
        raise InputError(
            "the model already has a reward head, which a new training would discard",
            where=name,
            expected="a causal LM",
            cure="Name the language model it was made from.",
        )
    check_vocabulary(model, load_tokenizer(name), where=name)
    context = context_of(model.config)
    if context is not None and config.max_length > context:
        raise InputError(
            "max_length is longer than the context of the backbone",
            where=name,
            got=config.max_length,
            expected=f"at most {context}",
            cure=f"Set model.max_length to {context} or less.",
        )


def architecture(model: PreTrainedModel, kind: str = "RewardModel") -> str:
    """The architecture name of a PRM on this backbone: ``Qwen2ForRewardModel`` for a Qwen2Model."""
    return f"{type(model).__name__.removesuffix('Model')}For{kind}"
