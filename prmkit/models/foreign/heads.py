"""The head of somebody's PRM, under whatever name it was saved, as a head of ours with one logit.

Two labels, wrong and right, make one logit by subtraction: ``softmax([a, b])[1] = sigmoid(b - a)``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from prmkit.errors import InputError
from prmkit.models.checkpoint import HEAD_KEYS

HEAD_NAMES = (
    "score",
    "classifier",
    "v_head.summary",
    "v_head",
    "value_head.summary",
    "value_head",
    "reward_head",
    "regression_head",
    "rm_head",
    "lm_head",
)
"""What trainers call a head: of transformers' classifiers, TRL's value heads, OpenRLHF's and others' reward heads."""


@dataclass(frozen=True, slots=True)
class Head:
    """A head as it was saved, and its one logit.

    ``name`` and ``labels`` (1 or 2) are those of the layer that was saved; ``inner`` is the layer below a ReLU, its
    weight and bias, if there is one; ``weight_1H`` and ``bias_1`` make the logit.
    """

    name: str
    labels: int
    inner: tuple[Tensor, Tensor] | None
    weight_1H: Tensor
    bias_1: Tensor

    def weights(self) -> dict[str, Tensor]:
        """The head of a checkpoint of ours that gives the same logit."""
        if self.inner is None:  # exactly, through the ReLU: the positive part less the negative part
            width, dtype = self.weight_1H.shape[1], self.weight_1H.dtype
            first, second = torch.zeros(width, width, dtype=dtype), torch.zeros(1, width, dtype=dtype)
            first[0], first[1] = self.weight_1H[0], -self.weight_1H[0]
            second[0, 0], second[0, 1] = 1.0, -1.0
            values = (first, torch.zeros(width, dtype=dtype), second, self.bias_1)
        else:
            values = (*self.inner, self.weight_1H, self.bias_1)
        return dict(zip(HEAD_KEYS, values, strict=True))


def is_of_head(key: str) -> bool:
    """Whether a stored name may be that of a head."""
    return any(key.startswith(f"{name}.") for name in HEAD_NAMES)


def read_head(tensors: Mapping[str, Tensor], where: object, *, cure: str = "") -> Head:
    """The head among the tensors of a model: one linear map with or without a bias, or two with a ReLU between.

    Args:
        tensors: by their names, as transformers or peft store them.
        where: they are from.
        cure: what is said where there is no head.

    Raises:
        InputError: there is none, or it has another number of labels or another form.
    """
    for name in HEAD_NAMES:
        last = next((key for key in (name, f"{name}.2") if f"{key}.weight" in tensors), None)
        if last is None:
            continue
        weight = tensors[f"{last}.weight"]
        if weight.ndim != 2 or (name == "lm_head" and len(weight) > 2):  # of a language model
            continue
        if len(weight) > 2:
            raise InputError(
                f"the head {name} has another number of labels",
                where=where,
                got=len(weight),
                expected="2 (wrong and right) or 1",
                cure="Which of them would mean a right step, nobody says.",
            )
        bias = tensors[f"{last}.bias"] if f"{last}.bias" in tensors else weight.new_zeros(len(weight))
        if bias.shape != weight.shape[:1]:
            raise InputError(
                f"the bias of the head {name} has another shape",
                where=where,
                got=tuple(bias.shape),
                expected=str(tuple(weight.shape[:1])),
            )
        inner = None if last == name else _inner(tensors, name, where, width=weight.shape[1])
        if len(weight) == 2:
            return Head(name, 2, inner, weight[1:] - weight[:1], bias[1:] - bias[:1])
        return Head(name, 1, inner, weight, bias)
    raise InputError(
        "the head is missing",
        where=where,
        got=f"{len(tensors)} weights, none of a head",
        expected=f"one of {', '.join(HEAD_NAMES)}, with 2 labels or 1",
        cure=cure,
    )


def _inner(tensors: Mapping[str, Tensor], name: str, where: object, *, width: int) -> tuple[Tensor, Tensor]:
    """The first layer of a head of two; only of ``score`` is it known that a ReLU stands between (Qwen's, and ours)."""
    weight = tensors.get(f"{name}.0.weight")
    if name != "score" or weight is None or weight.shape != (width, width):
        raise InputError(
            f"the head {name} has another form",
            where=where,
            got="no first layer" if weight is None else f"{name}.0.weight of shape {tuple(weight.shape)}",
            expected=f"score.0 of shape {(width, width)} and score.2, or one linear map",
        )
    bias = tensors.get(f"{name}.0.bias")
    return weight, weight.new_zeros(width) if bias is None else bias
