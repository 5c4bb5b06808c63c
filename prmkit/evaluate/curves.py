"""Selection rules at every k up to N: ``pass@k`` and ``prm@k`` exactly, ``maj@k`` exactly where that is affordable."""

import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from prmkit.evaluate.selection import Samples, with_samples
from prmkit.run.activity import busy
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
    drawn = _worked_out(problems, exact, scored=scored, draw=len(exact) < most)
    maj: list[Estimate] = []
    noise: list[float] = []
    for k, those in having.items():
        if k in exact:
            maj.append(mean([one.maj_at(k) for one in those]))
            noise.append(0.0)
        else:
            found = [(values[k - 1], errors[k - 1]) for values, errors in drawn if len(values) >= k]
            maj.append(mean([float(value) for value, _ in found]))
            noise.append(float(np.sqrt(sum(error**2 for _, error in found))) / len(found))
    best = [mean([one.prm_at(k) for one in those]) for k, those in having.items() if scored]
    return Curves(
        k=list(having),
        pass_=[mean([one.pass_at(k) for one in those]) for k, those in having.items()],
        maj=maj,
        prm=best,
        maj_monte_carlo_stderr=noise if drawn else [],
    )


def _worked_out(
    problems: Sequence[Samples], exact: Sequence[int], *, scored: bool, draw: bool
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Let each problem work out its rules, which takes a while for hundreds of samples, and say how far it is.

    Returns:
        What is drawn of each (see ``majority_by_draws``); nothing unless ``draw``.
    """
    drawn = []
    with busy("working out the selection rules") as activity:
        for number, one in enumerate(problems, start=1):
            having = len(one.correct)
            for k in exact:
                if k <= having:
                    one.maj_at(k)
            for k in range(1, having + 1 if scored else 1):
                one.prm_at(k)
            if draw:
                drawn.append(majority_by_draws(one, having))
            activity.share = number / len(problems)
    return drawn


def majority_by_draws(samples: Samples, most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``maj@k`` of one problem for k = 1 to ``most``, from DRAWS random orders of its samples, and its standard error.

    Ties count by the mean accuracy of the tied classes. The draws are the same for the same problem id.
    """
    random = np.random.default_rng(zlib.crc32(samples.problem_id.encode()))
    labels = [label for label in dict.fromkeys(samples.classes) if label is not None]
    if not labels:
        return np.zeros(most), np.zeros(most)
    numbers = {label: number for number, label in enumerate(labels)}
    classes = np.array([-1 if label is None else numbers[label] for label in samples.classes])
    sizes = Counter(samples.classes)
    right = Counter(label for label, correct in zip(samples.classes, samples.correct, strict=True) if correct)
    accuracy = np.array([right[label] / sizes[label] for label in labels])
    drawn = np.stack([classes[random.permutation(len(classes))[:most]] for _ in range(DRAWS)])
    values = _leading(drawn, accuracy)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(DRAWS)


def _leading(drawn: NDArray[np.int64], accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """[D, k] the mean accuracy of the classes that lead the vote of the first 1 to k samples of each of D orders.

    Votes are counted as they come, all orders at once.

    Args:
        drawn: [D, k] the class of each sample; -1 has no vote.
        accuracy: of each class.
    """
    orders = np.arange(len(drawn))
    votes = np.zeros((len(drawn), len(accuracy)), dtype=np.int32)
    most, leaders, summed = np.zeros(len(drawn), dtype=np.int32), np.zeros(len(drawn)), np.zeros(len(drawn))
    values = np.empty(drawn.shape)
    for place, label in enumerate(drawn.T):
        votes[orders, label] += label >= 0
        count = np.where(label >= 0, votes[orders, label], 0)
        ahead, level = count > most, (count == most) & (count > 0)
        most = np.maximum(most, count)
        leaders = np.where(ahead, 1, leaders + level)
        summed = np.where(ahead, accuracy[label], summed + level * accuracy[label])
        if (several := level & (leaders > 2)).any():  # in the order of the classes, whatever that of the samples
            summed[several] = ((votes[several] == most[several, None]) * accuracy).sum(axis=1)
        values[:, place] = summed / np.maximum(leaders, 1)
    return values
