"""Activation patterns A_i = |theta_i * dF/dtheta_i| of one response: batch 1, exact, the oracle of faster engines.

To first order A_i is how much F changes when weight i is removed. The scalar F is a next-token logit or a
log-likelihood of the reference model; the gradient flows through all positions.

Shapes: P weights of a layer, S response tokens, V vocabulary.

Source: the paper, section "Pattern Similarity"; Wang et al. 2025 (AAAI-25).
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from prmkit.errors import InputError, RunError
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.parameters import OUTSIDE, LayerParameters
from prmkit.similarity.response import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """The pattern of a response: a vector of P values >= 0 (fp32) for each layer, and what the model would say next."""

    layers: dict[int, Tensor]
    predicted_token: int


def activation_pattern(
    model: PreTrainedModel, response: Response, chosen: Sequence[LayerParameters], config: SimilarityConfig
) -> Pattern:
    """The pattern of one response over the chosen parameters. The model is left as it was.

    Raises:
        InputError: the response is longer than the context, is only end tokens, or has ids unknown to the model.
        RunError: a gradient is not finite (the layer is named), or all of them are zero.
    """
    parameters = [parameter for group in chosen for parameter in group.parameters]
    ids = content_ids(model, response)
    with _differentiable(model, parameters):
        value, predicted_token = _target(model, ids, response.prompt_length, config)
        gradients = iter(torch.autograd.grad(value, parameters, allow_unused=True))
    layers = {}
    for group in chosen:
        parts = [_activation(parameter, next(gradients)) for parameter in group.parameters]
        layers[group.layer] = torch.cat(parts)
        if not torch.isfinite(layers[group.layer]).all():
            raise RunError(
                f"{response.problem_id}: the gradient of {_layer_name(group.layer)} is not finite. "
                "Load the reference model in bfloat16 or float32, and check its weights."
            )
    if not any(vector.any() for vector in layers.values()):
        raise RunError(
            f"{response.problem_id}: every gradient is zero, so there is no pattern to compare. "
            "Choose other parameters or layers, or load the reference model in bfloat16 or float32."
        )
    return Pattern(layers=layers, predicted_token=predicted_token)


def content_ids(model: PreTrainedModel, response: Response) -> tuple[int, ...]:
    """The ids without the end tokens they end with: after those, the logit would measure the ending, not the content.

    Raises:
        InputError: nothing is left of the response, it is longer than the context, or an id is not in the vocabulary.
    """
    ends = _end_tokens(model)
    length = len(response.ids)
    while length and response.ids[length - 1] in ends:
        length -= 1
    ids = response.ids[:length]
    if length <= response.prompt_length:
        raise InputError("the response is only end tokens", where=response.problem_id, cure="Leave it out of its set.")
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is not None and length > context:
        raise InputError(
            "the response is longer than the context",
            where=response.problem_id,
            got=f"{length} tokens",
            expected=f"at most {context}",
            cure="Leave it out of its set, or use a reference model with a longer context.",
        )
    vocabulary = _embedding(model).num_embeddings
    if not all(0 <= token < vocabulary for token in ids):
        raise InputError(
            "an id is not in the vocabulary of the reference model",
            where=response.problem_id,
            got=max(ids),
            expected=f"0 to {vocabulary - 1}",
            cure="Encode the responses with the tokenizer of the reference model.",
        )
    return ids


def _target(
    model: PreTrainedModel, ids: Sequence[int], prompt_length: int, config: SimilarityConfig
) -> tuple[Tensor, int]:
    """F of the response, and the token the model predicts after it."""
    # The logits after the last prompt token and after each response token: S + 1 rows.
    rows = len(ids) - prompt_length + 1 if config.target == "log_likelihood" else 1
    logits_SV = _last_logits(model, ids, rows)
    predicted_token = int(logits_SV[-1].argmax())
    if config.target == "max_logit":
        return logits_SV[-1].max(), predicted_token
    response_S = torch.tensor(ids[prompt_length:], device=logits_SV.device)
    log_probs_SV = torch.log_softmax(logits_SV[:-1].float(), dim=-1)
    return log_probs_SV.gather(1, response_S[:, None]).sum(), predicted_token


def _last_logits(model: PreTrainedModel, ids: Sequence[int], rows: int) -> Tensor:
    # A vocabulary of 150k times every position is more memory than all the rest; most models can leave it out.
    able = "logits_to_keep" in inspect.signature(model.forward).parameters
    options = {"logits_to_keep": rows} if able else {}
    inputs = torch.tensor([ids], device=_embedding(model).weight.device)
    logits: Tensor = model(input_ids=inputs, use_cache=False, **options).logits[0, -rows:]
    return logits


def _activation(parameter: nn.Parameter, gradient: Tensor | None) -> Tensor:
    # No gradient: an expert that no token was sent to.
    if gradient is None:
        return torch.zeros(parameter.numel(), device=parameter.device)
    return (parameter.detach().float() * gradient.float()).abs().flatten()


@contextmanager
def _differentiable(model: PreTrainedModel, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Let gradients reach these parameters and no others, without dropout; then put everything back."""
    wanted = {id(parameter) for parameter in parameters}
    before = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        for parameter, _ in before:
            parameter.requires_grad_(id(parameter) in wanted)
        with torch.enable_grad():
            yield
    finally:
        for parameter, required in before:
            parameter.requires_grad_(required)
        for module, training in modes:
            module.training = training


def _embedding(model: PreTrainedModel) -> nn.Embedding:
    return cast(nn.Embedding, model.get_input_embeddings())


def _end_tokens(model: PreTrainedModel) -> set[int]:
    ends: set[int] = set()
    for config in (model.config, getattr(model, "generation_config", None)):
        token = getattr(config, "eos_token_id", None)
        ends.update(token if isinstance(token, list) else [] if token is None else [token])
    return ends


def _layer_name(layer: int) -> str:
    return "the parameters outside the decoder layers" if layer == OUTSIDE else f"layer {layer}"
