"""Which attention of transformers computes a model as it is defined: the fastest that gives what "eager" gives.

"eager" is what the model itself writes out. Others are asked for more than they know, and some leave it out: "sdpa"
does not cap scores (Gemma 2), for one.

Shapes: B rows, T tokens, E hidden size.
"""

from collections.abc import Callable, Sequence
from typing import Literal, cast

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PretrainedConfig, PreTrainedModel

from prmkit.errors import InputError
from prmkit.models.gate import Answer, Finding, find, first_that_agrees, relative
from prmkit.models.layout import laid_out, packed_layout
from prmkit.packing.sequence import Packing
from prmkit.run.ranks import local_rank

PackedBy = Literal["tree", "sequence"]

_STEM, _ENDS, _OTHER = 20, (14, 17), 23
"""Tokens of a text, of two ways to go on with it, and of another text: all longer than any window of a small model."""


def faithful_attention(config: PretrainedConfig) -> str | None:
    """The attention for padded rows of one text each; None where no other than the model's own default will do."""

    def look(model: PreTrainedModel) -> Answer:
        texts = _texts(model, (_STEM, _OTHER))

        def padded() -> Tensor:
            ids_BT = pad_sequence(texts, batch_first=True)
            mask_BT = pad_sequence([torch.ones_like(text) for text in texts], batch_first=True)
            hidden_BTE = model(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False).last_hidden_state
            return torch.cat([hidden_TE[: len(text)] for hidden_TE, text in zip(hidden_BTE, texts, strict=True)])

        return _tried(model, ("sdpa", "eager"), texts, padded, "a row is not alone what it is beside others, by {}")

    return find("attention of padded rows", config, look).chosen


def packed_attention(config: PretrainedConfig, by: PackedBy, *, device: str = "cpu") -> str:
    """The attention for rows that hold several texts.

    Args:
        config: of a model.
        by: whether texts in a row share their common beginning ("tree"), or each is whole ("sequence").
        device: the kind of device that it is for, "cpu" or "cuda".

    Raises:
        InputError: there is none, since layers of the model go by the place of a token in its row; what to set is said.
    """
    finding = _packed(config, by, device)
    if finding.chosen is not None:
        return finding.chosen
    others = by == "tree" and _packed(config, "sequence", device).chosen is not None
    raise InputError(
        f"this architecture ({config.model_type}) does not give packed rows what they are alone",
        where="train.packing",
        got=finding.fault,
        expected="layers that go by positions alone",
        cure=f"Set train.packing: {'sequence' if others else 'none'}.",
    )


def _packed(config: PretrainedConfig, by: PackedBy, device: str) -> Finding:
    # FlexAttention skips what no token attends to, but has no backward pass on a CPU.
    ways = ("flex_attention", "sdpa", "eager") if device == "cuda" else ("sdpa", "eager")

    def look(model: PreTrainedModel) -> Answer:
        place = torch.device(device, local_rank()) if device == "cuda" else torch.device(device)
        cast(torch.nn.Module, model).to(place)
        stem, left, right, other = _texts(model, (_STEM, *_ENDS, _OTHER))
        texts = [torch.cat([stem, left]), torch.cat([stem, right]), other]
        written = [stem, left, right, other] if by == "tree" else texts
        packing = _tree_packing() if by == "tree" else _sequence_packing(texts)
        packing = Packing(*(tensor.to(model.device) for tensor in packing))

        def packed() -> Tensor:
            ids_1T = torch.cat(written)[None]
            with laid_out(packed_layout(packing)):
                hidden_TE: Tensor = model(
                    input_ids=ids_1T,
                    attention_mask=torch.ones_like(ids_1T),
                    position_ids=packing.positions_BT,
                    use_cache=False,
                ).last_hidden_state[0]
            if by == "sequence":
                return hidden_TE
            parts = hidden_TE.split([_STEM, *_ENDS, _OTHER])
            return torch.cat([parts[0], parts[1], parts[0], parts[2], parts[3]])

        return _tried(model, ways, texts, packed, "a relative difference of {}")

    return find("attention of packed rows", config, look, by=by, device=device)


def _tried(
    model: PreTrainedModel, ways: Sequence[str], texts: Sequence[Tensor], together: Callable[[], Tensor], fault: str
) -> Answer:
    """The first attention by which texts together are what each is alone by "eager", and can be trained."""
    with torch.no_grad():
        model.set_attn_implementation("eager")
        expected = torch.cat([model(input_ids=text[None], use_cache=False).last_hidden_state[0] for text in texts])

    def apart(way: str) -> float:
        model.set_attn_implementation(way)
        if model.config._attn_implementation != way:
            raise ValueError(f"{type(model).__name__} has no {way}")
        difference = relative(together(), expected)
        model.train()
        try:
            together().sum().backward()
        finally:
            model.eval()
        return difference

    return first_that_agrees(ways, apart, fault)


def _texts(model: PreTrainedModel, lengths: Sequence[int]) -> list[Tensor]:
    return [torch.randint(3, model.config.vocab_size, (length,)).to(model.device) for length in lengths]


def _tree_packing() -> Packing:
    """The stem, both ways to go on, and the other text."""
    left, right = _ENDS
    positions = [*range(_STEM + left), *range(_STEM, _STEM + right), *range(_OTHER)]
    end = _STEM + left + right
    until = [end] * _STEM + [_STEM + left] * left + [end] * right + [end + _OTHER] * _OTHER
    return Packing(torch.tensor([positions]), torch.tensor([until]))


def _sequence_packing(texts: Sequence[Tensor]) -> Packing:
    ends = torch.tensor([len(text) for text in texts]).cumsum(0)
    positions = torch.cat([torch.arange(len(text)) for text in texts])
    until = torch.cat([end.expand(len(text)) for end, text in zip(ends, texts, strict=True)])
    return Packing(positions[None], until[None])
