"""The scalars F that are differentiated: one of each response, from one forward pass of a batch.

A target is a function of a model and a ``ResponseBatch`` that returns a tensor [B], or a ``TargetValues``; other
people's are named by dotpath. The value of a response must not depend on the others of its batch.

Shapes: B responses, K positions of interest, V vocabulary, S steps.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from prmkit.errors import InputError
from prmkit.models.prm import PRM
from prmkit.seam import Seam
from prmkit.similarity.patterns.batches import ResponseBatch, embedding
from prmkit.similarity.patterns.parameters import Reference

PRM_TARGETS = ("prm_step", "prm_solution")
"""The targets that read a PRM; the others read a causal LM."""

TARGETS = Seam(
    "target",
    {
        name: f"prmkit.similarity.patterns.targets:{name}"
        for name in ("max_logit", "log_likelihood", "logit_sum", *PRM_TARGETS)
    },
)


class TargetValues(NamedTuple):
    """F of each response, and the token the model would say after it, where the target looks at it."""

    values_B: Tensor
    predicted_B: Tensor | None = None


def target_values(name: str) -> Callable[[Reference, ResponseBatch], TargetValues]:
    """The target of that name or dotpath.

    Raises:
        InputError: there is none, or (when called) it does not return one value a response.
    """
    function = TARGETS.load(name)

    def values(model: Reference, batch: ResponseBatch) -> TargetValues:
        found = function(model, batch)
        found = found if isinstance(found, TargetValues) else TargetValues(found)
        if not isinstance(found.values_B, Tensor) or found.values_B.shape != (len(batch),):
            got = getattr(found.values_B, "shape", type(found.values_B).__name__)
            raise InputError("a target returns one value a response", where=name, got=got, expected=f"[{len(batch)}]")
        return found

    return values


def max_logit(model: Reference, batch: ResponseBatch) -> TargetValues:
    """The largest next-token logit after the last content token. Source: Wang et al. 2025 (AAAI-25)."""
    last_BV = _last(batch, *_logits(model, batch, (length - 1 for length in batch.lengths)))
    return TargetValues(last_BV.max(dim=-1).values, last_BV.argmax(dim=-1))


def log_likelihood(model: Reference, batch: ResponseBatch) -> TargetValues:
    """The log-likelihood of the response, given its prompt."""
    logits_BKV, positions = _logits(model, batch, _response_positions(batch))
    log_probs_BKV = torch.log_softmax(logits_BKV.float(), dim=-1)
    next_BK = batch.ids_BT[:, [min(position + 1, batch.ids_BT.shape[1] - 1) for position in positions]]
    chosen_BK = log_probs_BKV.gather(-1, next_BK.to(log_probs_BKV.device)[:, :, None]).squeeze(-1)
    counted_BK = _within(batch, positions, before_last=True).to(chosen_BK.device)
    # Selected, not multiplied: an infinite value of a position that does not count must not reach the sum.
    values_B = torch.where(counted_BK, chosen_BK, 0.0).sum(dim=1)
    return TargetValues(values_B, _last(batch, logits_BKV, positions).argmax(dim=-1))


def logit_sum(model: Reference, batch: ResponseBatch) -> TargetValues:
    """The sum of the largest next-token logits after the prompt and after each response token."""
    logits_BKV, positions = _logits(model, batch, _response_positions(batch))
    counted_BK = _within(batch, positions, before_last=False).to(logits_BKV.device)
    values_B = torch.where(counted_BK, logits_BKV.max(dim=-1).values.float(), 0.0).sum(dim=1)
    return TargetValues(values_B, _last(batch, logits_BKV, positions).argmax(dim=-1))


def prm_step(model: Reference, batch: ResponseBatch) -> TargetValues:
    """The logit of the PRM's score of the last step."""
    logits_BS = _step_logits(model, batch)
    last_B = torch.tensor([len(ends) - 1 for ends in batch.ends], device=logits_BS.device)
    return TargetValues(logits_BS.gather(1, last_B[:, None]).squeeze(1))


def prm_solution(model: Reference, batch: ResponseBatch) -> TargetValues:
    """The logarithm of the product of the PRM's step scores."""
    log_scores_BS = functional.logsigmoid(_step_logits(model, batch).float())
    counted_BS = torch.tensor([[step < len(ends) for step in range(log_scores_BS.shape[1])] for ends in batch.ends])
    return TargetValues(torch.where(counted_BS.to(log_scores_BS.device), log_scores_BS, 0.0).sum(dim=1))


def _logits(model: Reference, batch: ResponseBatch, wanted: Iterable[int]) -> tuple[Tensor, list[int]]:
    """[B, K, V] after the wanted positions, and these, in order."""
    if isinstance(model, PRM):
        raise InputError("the target reads a causal LM", got="a PRM", cure="Use prm_step or prm_solution.")
    positions = sorted(set(wanted))
    device = embedding(model).weight.device
    inputs = {"input_ids": batch.ids_BT.to(device), "attention_mask": batch.mask_BT.to(device), "use_cache": False}
    # A vocabulary of 150k times every position is more memory than all the rest; most models can leave it out.
    if "logits_to_keep" in inspect.signature(cast(nn.Module, model).forward).parameters:
        return cast(Tensor, model(**inputs, logits_to_keep=torch.tensor(positions, device=device)).logits), positions
    return cast(Tensor, model(**inputs).logits)[:, positions], positions


def _last(batch: ResponseBatch, logits_BKV: Tensor, positions: list[int]) -> Tensor:
    """[B, V] after the last content token of each response."""
    at = [positions.index(length - 1) for length in batch.lengths]
    return logits_BKV[torch.arange(len(batch)), at]


def _response_positions(batch: ResponseBatch) -> Iterable[int]:
    return range(min(batch.prompt_lengths) - 1, max(batch.lengths))


def _within(batch: ResponseBatch, positions: list[int], *, before_last: bool) -> Tensor:
    """[B, K] bool: the position stands between the last prompt token and the last response token of its row."""
    rows = zip(batch.prompt_lengths, batch.lengths, strict=True)
    return torch.tensor(
        [[start - 1 <= position < stop - before_last for position in positions] for start, stop in rows]
    )


def _step_logits(model: Reference, batch: ResponseBatch) -> Tensor:
    if not isinstance(model, PRM):
        raise InputError("the target reads a PRM", got=type(model).__name__, cure="Name a PRM checkpoint as reference.")
    for problem, ends in zip(batch.problem_ids, batch.ends, strict=True):
        if not ends:
            raise InputError("the steps of a response are not known", where=problem, cure="Give its steps as a list.")
    steps = max(map(len, batch.ends))
    ends_BS = torch.tensor([[*ends, *[0] * (steps - len(ends))] for ends in batch.ends])
    device = embedding(model).weight.device
    return cast(Tensor, model(batch.ids_BT.to(device), batch.mask_BT.to(device), ends_BS.to(device)))
