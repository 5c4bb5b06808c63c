"""Grams of patterns that are written down, one layer unless said otherwise."""

from collections.abc import Sequence

import numpy as np

from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.measure import WHOLE, Measure
from prmkit.similarity.statistics.scores import SetScore, set_scores


def gram_of(
    patterns: Sequence[Sequence[float]],
    sets: dict[str, tuple[int, ...]],
    problems: Sequence[str] | None = None,
    *,
    layers: int = 1,
    lengths: Sequence[int] | None = None,
    correct: Sequence[bool | None] | None = None,
) -> PatternGram:
    """The Gram of these patterns, cut into equal layers."""
    whole_NP = np.array(patterns, dtype=np.float64)
    parts = np.split(whole_NP, layers, axis=1)
    count = len(whole_NP)
    return PatternGram(
        grams=np.stack([part @ part.T for part in parts]),
        l1=np.stack([part.sum(axis=1) for part in parts]),
        sizes=tuple(part.shape[1] for part in parts),
        layers=tuple(range(layers)),
        kinds=("mlp",) * layers,
        problem_ids=tuple(problems or (f"p{index}" for index in range(count))),
        predicted_tokens=(0,) * count,
        lengths=tuple(lengths or (1,) * count),
        correct=tuple(correct or (None,) * count),
        texts=("",) * count,
        sets=sets,
        origin={},
    )


def set_score(gram: PatternGram, first: str, second: str, measure: Measure = WHOLE) -> SetScore:
    """The score of one pair of sets."""
    return set_scores(gram, [(first, second)], measure)[0]
