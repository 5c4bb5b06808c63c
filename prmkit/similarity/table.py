"""The layout of the paper's Table 2."""

from collections.abc import Sequence
from itertools import combinations_with_replacement

from prmkit.similarity.gram import PatternGram
from prmkit.similarity.scores import SetScore, set_score


def similarity_table(
    gram: PatternGram, pairs: Sequence[tuple[str, str]] | None = None, layers: Sequence[int] | None = None
) -> list[SetScore]:
    """One row a pair of sets: mean cosine x 100, its standard error, the sum, the chance level, the number of pairs.

    Args:
        gram: of the sets.
        pairs: names of sets. None takes every pair, and each set with itself: a score between domains says little
            without the scores within them.
        layers: of the model; None takes all.

    Raises:
        InputError: no such set or layer, or a pair that was asked for has no two different responses.
    """
    if pairs is None:
        every = combinations_with_replacement(gram.sets, 2)
        pairs = [(a, b) for a, b in every if len({*gram.rows(a), *gram.rows(b)}) > 1]
    return [set_score(gram, first, second, layers) for first, second in pairs]
