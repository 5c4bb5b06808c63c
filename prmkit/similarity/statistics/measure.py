"""Cosines of patterns from their Gram: over which parts, together or layer by layer, centred or not.

Shapes: M parts, N responses.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prmkit.errors import InputError
from prmkit.similarity.config import Normalisation
from prmkit.similarity.statistics.gram import Float64Array, PatternGram


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What of the patterns is compared.

    Attributes:
        layers: of the model; None takes all.
        kind: attention or mlp; None takes both.
        normalise: one cosine over all of it, or the mean of the cosines of its layers.
        centred: subtract each pattern's mean first: Pearson's correlation in place of the cosine.
    """

    layers: Sequence[int] | None = None
    kind: str | None = None
    normalise: Normalisation = "whole"
    centred: bool = False


WHOLE = Measure()


def measure_of(gram: PatternGram) -> Measure:
    """What the configuration that made the Gram compares."""
    return Measure(normalise="layer" if gram.origin.get("normalise") == "layer" else "whole")


def cosines(gram: PatternGram, measure: Measure = WHOLE) -> Float64Array:
    """[N, N] cosines of the patterns, each in [0, 1], or in [-1, 1] if centred.

    Raises:
        InputError: a layer or kind is not in the Gram, or a pattern is zero, or constant, in what is compared.
    """
    found = []
    for mask in _groups(gram, measure):
        dots_NN = gram.grams[mask].sum(axis=0)
        if measure.centred:
            sums_N = gram.l1[mask].sum(axis=0)
            dots_NN = dots_NN - np.outer(sums_N, sums_N) / _weights(gram, mask)
        norm_N = _norms(gram, dots_NN)
        found.append(dots_NN / np.outer(norm_N, norm_N))
    return np.asarray(np.mean(found, axis=0), dtype=np.float64)


def chance_cosines(gram: PatternGram, measure: Measure = WHOLE) -> Float64Array:
    """[N, N] expected cosines under a random permutation of each pattern's values: |A|_1 |B|_1 / (P |A|_2 |B|_2).

    Patterns are not negative, so unrelated responses do not score 0.

    Raises:
        InputError: as ``cosines``.
    """
    found = []
    for mask in _groups(gram, measure):
        norm_N = _norms(gram, gram.grams[mask].sum(axis=0))
        flat_N = gram.l1[mask].sum(axis=0) / norm_N / np.sqrt(_weights(gram, mask))
        found.append(np.outer(flat_N, flat_N))
    return np.asarray(np.mean(found, axis=0), dtype=np.float64)


def _groups(gram: PatternGram, measure: Measure) -> Iterator[NDArray[np.bool_]]:
    """The parts that share a norm."""
    mask = gram.part_mask(measure.layers, measure.kind)
    if measure.normalise == "whole":
        yield mask
        return
    layers = np.array(gram.layers)
    for layer in np.unique(layers[mask]):
        yield mask & (layers == layer)


def _weights(gram: PatternGram, mask: NDArray[np.bool_]) -> int:
    return int(np.array(gram.sizes)[mask].sum())


def _norms(gram: PatternGram, dots_NN: Float64Array) -> Float64Array:
    norm_N: Float64Array = np.sqrt(np.diag(dots_NN).clip(min=0.0))
    if not norm_N.all():
        row = int(np.argmin(norm_N))
        raise InputError("a pattern is zero in all of these layers", where=gram.problem_ids[row], cure="Add layers.")
    return norm_N
