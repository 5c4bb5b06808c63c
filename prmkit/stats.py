"""Means with their standard errors, and paired comparisons over the same problems."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from prmkit.errors import InputError

Known = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A number that may be unknown: NaN here, null in JSON."""

_LEVEL = 0.95
"""Coverage of intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number, its standard error, and how many independent units stand behind it.

    NaN means unknown: the standard error of a single unit, or the value of none.
    """

    value: Known
    stderr: Known
    n: int


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def mean(values: Sequence[float]) -> Estimate:
    """The mean over problems, with the standard error sd / sqrt(n) (ddof = 1).

    Raises:
        InputError: there is no value, or one is not finite.
    """
    return clustered_mean(values, range(len(values)))


def clustered_mean(values: Sequence[float], clusters: Sequence[Hashable]) -> Estimate:
    """The mean over all values, its standard error clustered; ``n`` is the number of clusters.

    Values of one cluster (the samples of a problem) may depend on each other in any way. The sandwich estimate is
    scaled by G / (G - 1) for G clusters, so that clusters of one value give the ordinary standard error.

    Source: arXiv 2411.00640, section 2.2.

    Raises:
        InputError: there is no value, one is not finite, or values and clusters differ in number.
    """
    array = _finite(values)
    _same_length(values, clusters)
    numbers: dict[Hashable, int] = {}
    codes = [numbers.setdefault(cluster, len(numbers)) for cluster in clusters]
    average = float(array.mean())
    deviations = np.bincount(codes, weights=array - average)
    groups = len(numbers)
    if groups == 1:
        return Estimate(value=average, stderr=math.nan, n=1)
    variance = groups / (groups - 1) * float(deviations @ deviations) / len(array) ** 2
    return Estimate(value=average, stderr=math.sqrt(variance), n=groups)


def paired_difference(a: Sequence[float], b: Sequence[float]) -> Estimate:
    """The mean of a - b over the same problems in the same order.

    Raises:
        InputError: there is no value, one is not finite, or a and b differ in number.
    """
    return mean(_differences(a, b).tolist())


def paired_bootstrap(a: Sequence[float], b: Sequence[float], *, resamples: int = 2000, seed: int) -> Interval:
    """The 95 % percentile bootstrap interval of mean(a) - mean(b), resampling problems; the same for the same seed.

    Args:
        a: one value a problem.
        b: the values of the same problems in the same order.
        resamples: number of bootstrap samples.
        seed: of the resampling.

    Raises:
        InputError: there is no value, one is not finite, a and b differ in number, or there is no resample.
    """
    differences = _differences(a, b)
    if resamples < 1:
        raise InputError("cannot bootstrap", got=resamples, expected="one resample or more")
    random = np.random.default_rng(seed)
    size = len(differences)
    means = [differences[random.integers(size, size=size)].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(low), float(high))


def _differences(a: Sequence[float], b: Sequence[float]) -> NDArray[np.float64]:
    _same_length(a, b)
    return _finite(a) - _finite(b)


def _finite(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise InputError("no values", expected="at least one")
    if not np.isfinite(array).all():
        raise InputError("a value is not finite", got=float(array[~np.isfinite(array)][0]))
    return array


def _same_length(first: Sequence[object], second: Sequence[object]) -> None:
    if len(first) != len(second):
        raise InputError(
            "unequal lengths", got=(len(first), len(second)), expected="one entry each for the same problems"
        )
