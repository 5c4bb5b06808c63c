"""What a similarity of patterns must be compared with: simpler similarities of the same responses.

Shapes: N responses, H hidden size.
"""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from prmkit.similarity.config import SimilarityBaseline, SimilarityConfig
from prmkit.similarity.patterns.batches import batched, embedding
from prmkit.similarity.patterns.engine import compare, distinct
from prmkit.similarity.patterns.parameters import Reference, backbone
from prmkit.similarity.response import Response
from prmkit.similarity.statistics.gram import Float64Array, PatternGram
from prmkit.similarity.statistics.measure import cosines, measure_of

LABELS: Mapping[SimilarityBaseline, str] = {
    "hidden": "hidden states",
    "gradient": "|gradient|",
    "signed_gradient": "gradient",
    "ngram": "n-grams",
}
"""What each is called in a table."""

_LONGEST_NGRAM = 3
_BUCKETS = 1 << 14


def baseline_kernels(
    model: Reference,
    sets: Mapping[str, Sequence[Response]],
    config: SimilarityConfig,
    names: Sequence[SimilarityBaseline],
) -> dict[str, Float64Array]:
    """[N, N] similarities of all responses of the sets, by label, in the order of the Gram's rows.

    ``hidden``: cosine of the last hidden states, averaged over the response. ``gradient``: cosine of |g|, patterns
    without the weights. ``signed_gradient``: cosine of g. Ghost dots of factors would give it without forming g, but
    cost T^2 (in + out) a pair, more than in x out where responses are longer than some hundred tokens, and g is formed
    for the patterns anyway. ``ngram``: cosine of the counts of runs of one to three tokens.

    Raises:
        InputError, RunError: as ``compare``.
    """
    responses, _ = distinct(sets)
    kernels = {}
    for name in names:
        if name == "hidden":
            found = _cosines(hidden_states(model, responses, config.batch_tokens))
        elif name == "ngram":
            found = _cosines(ngram_counts(responses))
        else:
            gram = compare(model, {"all": responses}, config.model_copy(update={"pattern": name}))
            assert isinstance(gram, PatternGram)
            found = cosines(gram, measure_of(gram))
        kernels[LABELS[name]] = found
    return kernels


def hidden_states(model: Reference, responses: Sequence[Response], max_tokens: int) -> Float64Array:
    """[N, H]: the last hidden states, averaged over the tokens of the response."""
    means = []
    for batch in batched(model, responses, max_tokens):
        device = embedding(model).weight.device
        with torch.no_grad():
            states_BTH = (
                backbone(model)
                .base_model(input_ids=batch.ids_BT.to(device), attention_mask=batch.mask_BT.to(device), use_cache=False)
                .last_hidden_state
            )
        for row, (start, stop) in enumerate(zip(batch.prompt_lengths, batch.lengths, strict=True)):
            means.append(states_BTH[row, start:stop].double().mean(dim=0).cpu().numpy())
    return np.stack(means)


def ngram_counts(responses: Sequence[Response]) -> Float64Array:
    """[N, buckets]: how often runs of one to three tokens stand in each response, by a hash of the run."""
    counts = np.zeros((len(responses), _BUCKETS))
    for row, response in enumerate(responses):
        ids = response.ids[response.prompt_length :]
        for size in range(1, _LONGEST_NGRAM + 1):
            for start in range(len(ids) - size + 1):
                counts[row, zlib.crc32(repr(ids[start : start + size]).encode()) % _BUCKETS] += 1
    return counts


def _cosines(vectors: Float64Array) -> Float64Array:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Float64Array = unit @ unit.T
    return found
