"""Selection rules at every k up to N: ``pass@k`` and ``prm@k`` exactly, ``maj@k`` exactly where that is affordable."""

import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from prmkit.evaluate.selection import Samples, maj_at_k, pass_at_k, prm_at_k, with_samples
from prmkit.run.results import Figures
from prmkit.stats import Estimate, mean

EXACT_UP_TO = 32
"""Samples a problem up to which ``maj@k`` is exact at every k; beyond, at powers of two and at the most."""
DRAWS = 400
"""Random orders of the samples of a problem from which ``maj@k`` is estimated in between."""


class Curves(Figures):
    """Each rule at every k: the mean over the problems that have k samples, whose number is ``n``.

    Attributes:
        k: 1 to the most samples of a problem.
        pass_: ``pass@k``; ``pass`` in JSON.
        maj: ``maj@k``.
        prm: ``prm@k``; empty without scores.
        maj_monte_carlo_stderr: where ``maj`` is drawn, the part of its error that the draws add, 0 where it is exact.
    """

    k: list[int]
    pass_: list[Estimate] = Field(alias="pass")
    maj: list[Estimate]
    prm: list[Estimate] = Field([])
    maj_monte_carlo_stderr: list[float] = Field([])


def curves(problems: Sequence[Samples], *, scored: bool) -> Curves:
    """Each selection rule at every k."""
    most = max(len(one.correct) for one in problems)
    having = {k: with_samples(problems, k) for k in range(1, most + 1)}
    exact = [k for k in having if most <= EXACT_UP_TO or k == most or k & (k - 1) == 0]
    drawn = [majority_by_draws(one, len(one.correct)) for one in problems] if len(exact) < most else []
    maj: list[Estimate] = []
    noise: list[float] = []
    for k, those in having.items():
        if k in exact:
            maj.append(mean([maj_at_k(one.classes, one.correct, k) for one in those]))
            noise.append(0.0)
        else:
            found = [(values[k - 1], errors[k - 1]) for values, errors in drawn if len(values) >= k]
            maj.append(mean([float(value) for value, _ in found]))
            noise.append(float(np.sqrt(sum(error**2 for _, error in found))) / len(found))
    best = [mean([prm_at_k(one.scores, one.correct, k) for one in those]) for k, those in having.items() if scored]
    return Curves(
        k=list(having),
        pass_=[mean([pass_at_k(one.correct, k) for one in those]) for k, those in having.items()],
        maj=maj,
        prm=best,
        maj_monte_carlo_stderr=noise if drawn else [],
    )


def majority_by_draws(samples: Samples, most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``maj@k`` of one problem for k = 1 to ``most``, from DRAWS random orders of its samples, and its standard error.

    Ties count by the mean accuracy of the tied classes. The draws are the same for the same problem id.
    """
    random = np.random.default_rng(zlib.crc32(samples.problem_id.encode()))
    labels = [label for label in dict.fromkeys(samples.classes) if label is not None]
    if not labels:
        return np.zeros(most), np.zeros(most)
    votes = np.array([[label == other for other in labels] for label in samples.classes], dtype=np.int32)
    sizes = Counter(samples.classes)
    right = Counter(label for label, correct in zip(samples.classes, samples.correct, strict=True) if correct)
    accuracy = np.array([right[label] / sizes[label] for label in labels])
    values = np.empty((DRAWS, most))
    for draw in range(DRAWS):
        counts = votes[random.permutation(len(votes))[:most]].cumsum(axis=0)
        winners = (counts == counts.max(axis=1, keepdims=True)) & (counts > 0)
        values[draw] = (winners * accuracy).sum(axis=1) / np.maximum(winners.sum(axis=1), 1)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(DRAWS)
