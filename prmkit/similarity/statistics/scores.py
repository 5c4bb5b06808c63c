"""How alike two sets of responses are, from their Gram alone.

Shapes: N responses, A and B responses of the first and the second set, G problems.

A set score is the mean cosine over the pairs of the two sets; a response is never paired with itself. The cosines of a
row or a column depend on each other, and so do the responses to one problem: the jackknife leaves out problems.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prmkit.errors import InputError
from prmkit.similarity.statistics.gram import Float64Array, PatternGram
from prmkit.similarity.statistics.measure import WHOLE, Measure, chance_cosines, cosines
from prmkit.similarity.statistics.result import SetScore
from prmkit.stats import Estimate


class Sets(Protocol):
    """Sets of responses to problems."""

    @property
    def problem_ids(self) -> tuple[str, ...]:
        """Of each response."""
        ...

    @property
    def sets(self) -> Mapping[str, tuple[int, ...]]:
        """Rows of each set."""
        ...

    def rows(self, name: str) -> tuple[int, ...]:
        """The responses of a set."""
        ...


def set_scores(gram: PatternGram, pairs: Sequence[tuple[str, str]], measure: Measure = WHOLE) -> list[SetScore]:
    """The similarity of the two sets of each pair, or of a set with itself.

    The standard error is the jackknife over problems, by stratum: sets that share a problem are one stratum. With one
    response a problem and no shared problem it is sqrt(var(r) / n + var(c) / m) of the row and column means r and c.

    Source: the paper, section "Pattern Similarity" and Table 2.

    Raises:
        InputError: no such set or layer, or the sets hold no pair of different responses.
    """
    cosine_NN = cosines(gram, measure)
    centred_NN = cosines(gram, replace(measure, centred=True))
    chance_NN = chance_cosines(gram, measure)
    return [
        kernel_score(gram, *pair, cosine_NN).model_copy(
            update={
                "chance": kernel_mean(gram, *pair, chance_NN),
                "centred": kernel_mean(gram, *pair, centred_NN),
            }
        )
        for pair in pairs
    ]


def kernel_score(responses: Sets, first: str, second: str, kernel_NN: Float64Array) -> SetScore:
    """The score of two sets by any similarity of responses, with the same standard error.

    Raises:
        InputError: no such set, or the sets hold no pair of different responses.
    """
    return pairs_score(responses, _pair_sums(responses, first, second, kernel_NN))


def kernel_mean(responses: Sets, first: str, second: str, kernel_NN: Float64Array) -> float:
    """The mean similarity of two sets. Raises InputError as ``kernel_score``."""
    rows, columns = np.array(responses.rows(first)), np.array(responses.rows(second))
    different_AB = rows[:, None] != columns[None, :]
    return float(kernel_NN[np.ix_(rows, columns)][different_AB].mean())


def pairs_score(responses: Sets, sums: "PairSums") -> SetScore:
    """The score of the pairs of two sets."""
    return SetScore(
        first=sums.names[0],
        second=sums.names[1],
        mean=sums.total / sums.pairs,
        stderr=_jackknife(responses, [sums], [1.0]),
        sum=sums.total,
        chance=None,
        centred=None,
        pairs=sums.pairs,
    )


def set_score_difference(
    gram: PatternGram, pair: tuple[str, str], other: tuple[str, str], measure: Measure = WHOLE
) -> Estimate:
    """The score of one pair of sets less that of another; ``n`` counts the problems of all four.

    Both are jackknifed together, since they share responses and problems: the responses that a PRM selected, less all
    of them.

    Raises:
        InputError: as ``set_scores``.
    """
    cosine_NN = cosines(gram, measure)
    compared = [_pair_sums(gram, *names, cosine_NN) for names in (pair, other)]
    problems = {gram.problem_ids[row] for name in (*pair, *other) for row in gram.rows(name)}
    return Estimate(
        value=compared[0].total / compared[0].pairs - compared[1].total / compared[1].pairs,
        stderr=_jackknife(gram, compared, [1.0, -1.0]),
        n=len(problems),
    )


@dataclass(frozen=True, slots=True)
class PairSums:
    """The pairs of two sets: their summed cosine and number, and the part of both that falls to each problem."""

    names: tuple[str, str]
    total: float
    pairs: int
    total_G: Float64Array
    pairs_G: Float64Array


def _pair_sums(gram: Sets, first: str, second: str, cosine_NN: Float64Array) -> PairSums:
    rows, columns = np.array(gram.rows(first)), np.array(gram.rows(second))
    different_AB = (rows[:, None] != columns[None, :]).astype(np.float64)
    if not different_AB.any():
        raise InputError("no pair of different responses", got=(first, second), expected="two responses or more")
    problem_N = np.unique(gram.problem_ids, return_inverse=True)[1]
    problem_A, problem_B = problem_N[rows], problem_N[columns]
    cosine_AB = cosine_NN[np.ix_(rows, columns)] * different_AB
    return PairSums(
        names=(first, second),
        total=float(cosine_AB.sum()),
        pairs=int(different_AB.sum()),
        total_G=_by_problem(cosine_AB, problem_A, problem_B, problem_N.max() + 1),
        pairs_G=_by_problem(different_AB, problem_A, problem_B, problem_N.max() + 1),
    )


def _by_problem(
    values_AB: Float64Array, problem_A: NDArray[np.int_], problem_B: NDArray[np.int_], problems: int
) -> Float64Array:
    """[G] sums over the pairs that a problem has a part in, as the first, the second or both."""
    shared_A = (values_AB * (problem_A[:, None] == problem_B[None, :])).sum(axis=1)
    first_G = np.bincount(problem_A, weights=values_AB.sum(axis=1) - shared_A, minlength=problems)
    second_G = np.bincount(problem_B, weights=values_AB.sum(axis=0), minlength=problems)
    return np.asarray(first_G + second_G, dtype=np.float64)


def _jackknife(gram: Sets, compared: Sequence[PairSums], signs: Sequence[float]) -> float:
    """The standard error of the signed sum of the means compared, leaving out one problem of a stratum at a time."""
    problems = {name: row for row, name in enumerate(np.unique(gram.problem_ids).tolist())}
    variance = 0.0
    for stratum in _strata(gram, sorted({name for sums in compared for name in sums.names})):
        size = len(stratum)
        if size < 2:
            return math.nan
        left_out = [problems[problem] for problem in sorted(stratum)]
        values = np.zeros(size)
        for sums, sign in zip(compared, signs, strict=True):
            pairs = sums.pairs - sums.pairs_G[left_out]
            if not pairs.all():
                return math.nan
            values += sign * (sums.total - sums.total_G[left_out]) / pairs
        variance += (size - 1) / size * float(((values - values.mean()) ** 2).sum())
    return math.sqrt(variance)


def _strata(gram: Sets, names: Sequence[str]) -> list[set[str]]:
    """The problems of the sets, those of sets that share one joined: independent samples of problems."""
    strata: list[set[str]] = []
    for name in names:
        joined = {gram.problem_ids[row] for row in gram.rows(name)}
        apart = []
        for stratum in strata:
            if stratum & joined:
                joined |= stratum
            else:
                apart.append(stratum)
        strata = [*apart, joined]
    return strata
