"""What a causal LM makes of hidden states: its LM head, and what else it does to the logits.

Shapes: N tokens, E hidden size, V vocabulary.
"""

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast

from prmkit.errors import InputError
from prmkit.kv.products import by_onednn
from prmkit.models.gate import FAILURES

_LARGE = 1000.0
"""The size of logits in which a cap shows."""

Head = Callable[[Tensor], Tensor]
"""Makes logits (N, V) of hidden states (N, E)."""


@torch.inference_mode()
def parts_of(model: PreTrainedModel) -> tuple[PreTrainedModel, Head]:
    """The backbone of a causal LM, and what makes its logits: the LM head alone where that is all.

    Raises:
        InputError: the logits are not made of the last hidden states.
    """
    backbone = cast(PreTrainedModel, model.base_model if model.base_model is not model else model.get_decoder())
    lm_head = cast(nn.Module, model.get_output_embeddings())
    ids_1N = torch.tensor([[1, 2]], device=model.device) % model.config.vocab_size
    with suppress(*FAILURES):
        logits_NV = model(input_ids=ids_1N).logits[0]
        hidden_NE = backbone(input_ids=ids_1N).last_hidden_state[0]
        whole = _whole_head(model, backbone)
        known = _gives(whole, hidden_NE, logits_NV)
        large_NE = hidden_NE * (_LARGE / logits_NV.abs().max())
        if _gives(lm_head, hidden_NE, logits_NV) and (not known or _gives(lm_head, large_NE, whole(large_NE))):
            return backbone, by_onednn(lm_head)
        if known:
            by_onednn(lm_head)
            return backbone, whole
    raise InputError(
        "the transformers engine cannot run this architecture",
        where=type(model).__name__,
        got="logits that are not made of the last hidden states",
        cure="Use the vllm engine.",
    )


def _gives(head: Head, hidden_NE: Tensor, logits_NV: Tensor) -> bool:
    try:
        return torch.allclose(head(hidden_NE), logits_NV, rtol=1e-3, atol=1e-3)
    except FAILURES:
        return False


def _whole_head(model: PreTrainedModel, backbone: PreTrainedModel) -> Head:
    """The model itself with hidden states in the place of its backbone, so that logits are scaled and capped as it does
    it (Gemma 2, Cohere, MiniCPM). Weights are shared.
    """
    given = _Given(backbone)
    whole = cast(nn.Module, copy.copy(model))
    whole._modules = {name: given if part is backbone else part for name, part in whole._modules.items()}

    def logits_of(hidden_NE: Tensor) -> Tensor:
        given.hidden_N1E = hidden_NE[:, None]
        ids_N1 = torch.zeros(len(hidden_NE), 1, dtype=torch.long, device=hidden_NE.device)
        logits_N1V: Tensor = whole(input_ids=ids_N1, use_cache=False).logits
        return logits_N1V[:, 0]

    return logits_of


class _Given(nn.Module):
    """In the place of a backbone, returns what it was given beforehand; all else is the backbone's."""

    hidden_N1E: Tensor

    def __init__(self, backbone: PreTrainedModel) -> None:
        super().__init__()
        self._backbone = (backbone,)  # no part of this module

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self._backbone[0], name)

    def forward(self, *args: Any, **kwargs: Any) -> "_Output":
        return _Output(last_hidden_state=cast(Any, self.hidden_N1E))


class _Output(BaseModelOutputWithPast):
    """What a backbone returns; all but the hidden states is None."""

    def __getattr__(self, name: str) -> None:
        return None
