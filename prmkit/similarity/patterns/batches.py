"""Responses as padded batches.

Shapes: B responses, T tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from prmkit.errors import InputError
from prmkit.models.context import readable
from prmkit.models.prm import PRM
from prmkit.similarity.patterns.parameters import Reference, backbone
from prmkit.similarity.response import Response


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResponseBatch:
    """Responses of similar length, padded on the right: what a target is given.

    Attributes:
        ids_BT: token ids; the prompt, the response without the end tokens it ends with, and padding.
        mask_BT: 1 for tokens, 0 for padding.
        lengths: tokens of each response with its prompt.
        prompt_lengths: tokens of each prompt.
        ends: position of the last token of each step; empty where the steps are not known.
        problem_ids: of each response.
    """

    ids_BT: Tensor
    mask_BT: Tensor
    lengths: tuple[int, ...]
    prompt_lengths: tuple[int, ...]
    ends: tuple[tuple[int, ...], ...]
    problem_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.lengths)


def reading_order(responses: Sequence[Response]) -> list[int]:
    """The responses by length, longest first: little of a batch is padding, and memory is short at once or never."""
    return sorted(range(len(responses)), key=lambda row: -len(responses[row].ids))


def batched(model: Reference, responses: Sequence[Response], max_tokens: int) -> list[ResponseBatch]:
    """The responses in this order, in batches of at most ``max_tokens``, padding included, or of one response.

    Raises:
        InputError: as ``content_ids``.
    """
    batches: list[ResponseBatch] = []
    group: list[tuple[Response, tuple[int, ...]]] = []
    for response in responses:
        ids = content_ids(model, response)
        longest = max([len(ids), *(len(found) for _, found in group)])
        if group and longest * (len(group) + 1) > max_tokens:
            batches.append(_padded(group))
            group = []
        group.append((response, ids))
    return [*batches, _padded(group)] if group else batches


def content_ids(model: Reference, response: Response) -> tuple[int, ...]:
    """The ids without the end tokens they end with: after those, the logit would measure the ending, not the content.

    Raises:
        InputError: nothing is left of the response, it is longer than the context, or an id is not in the vocabulary.
    """
    length = _content_length(response, _end_tokens(model))
    ids = response.ids[:length]
    if length <= response.prompt_length:
        raise InputError("the response is only end tokens", where=response.problem_id, cure="Leave it out of its set.")
    context = context_of(model)
    if length > context:
        raise InputError(
            "the response is longer than the context",
            where=response.problem_id,
            got=f"{length} tokens",
            expected=f"at most {context}",
            cure="Leave it out of its set, or use a reference model with a longer context.",
        )
    vocabulary = embedding(model).num_embeddings
    unknown = [token for token in ids if not 0 <= token < vocabulary]
    if unknown:
        raise InputError(
            "an id is not in the vocabulary of the reference model",
            where=response.problem_id,
            got=unknown[0],
            expected=f"0 to {vocabulary - 1}",
            cure="Encode the responses with the tokenizer of the reference model.",
        )
    return ids


def context_of(model: Reference) -> int:
    """The longest sequence of a model in tokens."""
    return readable(backbone(model).config.get_text_config())


def fitting(model: Reference, responses: Sequence[Response]) -> list[Response]:
    """The responses that are not longer than the context of the model."""
    context, ends = context_of(model), _end_tokens(model)
    return [response for response in responses if _content_length(response, ends) <= context]


def _content_length(response: Response, ends: set[int]) -> int:
    """Tokens without the end tokens at the end."""
    length = len(response.ids)
    while length and response.ids[length - 1] in ends:
        length -= 1
    return length


def embedding(model: Reference) -> nn.Embedding:
    """The token embedding of a model."""
    return cast(nn.Embedding, backbone(model).get_input_embeddings())


def _padded(group: Sequence[tuple[Response, tuple[int, ...]]]) -> ResponseBatch:
    ids_BT = torch.zeros(len(group), max(len(ids) for _, ids in group), dtype=torch.long)
    mask_BT = torch.zeros_like(ids_BT)
    for row, (_, ids) in enumerate(group):
        ids_BT[row, : len(ids)] = torch.tensor(ids)
        mask_BT[row, : len(ids)] = 1
    return ResponseBatch(
        ids_BT=ids_BT,
        mask_BT=mask_BT,
        lengths=tuple(len(ids) for _, ids in group),
        prompt_lengths=tuple(response.prompt_length for response, _ in group),
        ends=tuple(tuple(end for end in response.ends if end < len(ids)) for response, ids in group),
        problem_ids=tuple(response.problem_id for response, _ in group),
    )


def _end_tokens(model: Reference) -> set[int]:
    if isinstance(model, PRM):
        return set()  # It reads step ends, whatever token they are.
    ends: set[int] = set()
    for config in (backbone(model).config, getattr(backbone(model), "generation_config", None)):
        token = getattr(config, "eos_token_id", None)
        ends.update(token if isinstance(token, list) else [] if token is None else [token])
    return ends
