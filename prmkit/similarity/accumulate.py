"""From responses to their Gram, exactly, within a memory limit.

The patterns of all N responses are held at once, for as many layers as fit; each further group of layers is one more
pass over the responses.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.gram import PatternGram
from prmkit.similarity.parameters import LayerParameters, chosen_parameters
from prmkit.similarity.patterns import activation_pattern, content_ids
from prmkit.similarity.response import Response

_FLOAT32 = 4
# All terms are positive, so long fp32 sums drift low; short ones, added up in fp64, do not. It also bounds the copy.
_COLUMNS = 65_536


def pattern_gram(
    model: PreTrainedModel, sets: Mapping[str, Sequence[Response]], config: SimilarityConfig
) -> PatternGram:
    """The Gram of all responses of the sets. A response that is in several sets is differentiated once.

    Raises:
        InputError: a set is empty, the patterns of one layer do not fit the memory limit, or a response does not suit
            the model (see ``activation_pattern``).
        RunError: a gradient is not finite, or all of a response's are zero.
    """
    responses, rows = _distinct(sets)
    chosen = chosen_parameters(model, config)
    for response in responses:
        content_ids(model, response)
    grams, l1, predicted = [], [], [0] * len(responses)
    for group in _passes(chosen, len(responses), config):
        held = {part.layer: torch.empty(len(responses), part.size) for part in group}
        for row, response in enumerate(responses):
            pattern = activation_pattern(model, response, group, config)
            predicted[row] = pattern.predicted_token
            for layer, vector in pattern.layers.items():
                held[layer][row] = vector
        for patterns_NP in held.values():
            grams.append(raw_gram(patterns_NP).numpy())
            l1.append(patterns_NP.sum(dim=1, dtype=torch.float64).numpy())
    return PatternGram(
        grams=np.stack(grams),
        l1=np.stack(l1),
        sizes=tuple(part.size for part in chosen),
        layers=tuple(part.layer for part in chosen),
        problem_ids=tuple(response.problem_id for response in responses),
        predicted_tokens=tuple(predicted),
        texts=tuple(response.text for response in responses),
        sets=rows,
        origin={
            "model": str(model.config.name_or_path),
            "dtype": str(model.dtype).removeprefix("torch."),
            "attention": str(getattr(model.config, "_attn_implementation", None)),
            "target": config.target,
            "parameters": config.parameters,
        },
    )


def raw_gram(patterns_NP: Tensor) -> Tensor:
    """[N, N] fp64: the dots of the rows."""
    gram_NN = torch.zeros(len(patterns_NP), len(patterns_NP), dtype=torch.float64)
    for columns_NC in patterns_NP.split(_COLUMNS, dim=1):
        exact_NC = columns_NC.double()
        gram_NN += exact_NC @ exact_NC.T
    return gram_NN


def _distinct(sets: Mapping[str, Sequence[Response]]) -> tuple[list[Response], dict[str, tuple[int, ...]]]:
    """The responses of all sets, each once, and the rows of each set.

    A sample that was drawn twice is two responses: the k-th copy in one set is the k-th copy in another.
    """
    numbers: dict[tuple[Response, int], int] = {}
    rows = {}
    for name, responses in sets.items():
        if not responses:
            raise InputError("empty set of responses", where=name, expected="at least one")
        copies: dict[Response, int] = {}
        found = []
        for response in responses:
            copies[response] = copies.get(response, 0) + 1
            found.append(numbers.setdefault((response, copies[response]), len(numbers)))
        rows[name] = tuple(found)
    if not rows:
        raise InputError("no set of responses")
    return [response for response, _ in numbers], rows


def _passes(chosen: Sequence[LayerParameters], responses: int, config: SimilarityConfig) -> list[list[LayerParameters]]:
    """The layers in groups whose patterns fit the memory limit, in order."""
    limit = config.memory_gib * 2**30
    groups: list[list[LayerParameters]] = []
    room = 0.0
    for part in chosen:
        need = part.size * responses * _FLOAT32
        if need > limit:
            raise InputError(
                f"the patterns of layer {part.layer} do not fit in memory",
                got=f"{responses} responses x {part.size} weights = {need / 2**30:.3g} GiB",
                expected=f"at most {config.memory_gib:g} GiB",
                cure="Use fewer responses, parameters: attention, or raise similarity.memory_gib.",
            )
        if need > room:
            groups.append([])
            room = limit
        groups[-1].append(part)
        room -= need
    return groups
