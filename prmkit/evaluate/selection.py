"""Accuracy of a selection rule at k samples, from the n >= k samples of a problem. One with fewer does not count at k.

Every ``@k`` is an exact expectation over the k-subsets of the samples, each equally likely, and over fair tie-breaking:
nothing is drawn at random.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prmkit.errors import InputError
from prmkit.evaluate.auc import auc
from prmkit.stats import Estimate, mean


class Tied(NamedTuple):
    """Samples of one score: how many score better, how many there are, and how many of these are right."""

    better: int
    size: int
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The solutions sampled for one problem, and the value of each rule on them, worked out once.

    ``classes`` numbers the answers that agree; None has no vote. An unfinished solution has class None and is not
    correct. ``base`` holds the verdicts by base tests alone, where there are such. ``groups`` names what the problem
    belongs to, by kind: level, subject, domain.

    Raises:
        InputError: the fields differ in length, are empty, or a score is not finite.
    """

    problem_id: str
    scores: tuple[float, ...]
    classes: tuple[int | None, ...]
    correct: tuple[bool, ...]
    base: tuple[bool, ...] | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    _known: dict[tuple[str, int], float] = field(default_factory=dict, init=False, repr=False, compare=False)
    _ranked: list[Tied] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sizes = tuple(map(len, (self.scores, self.classes, self.correct, *([] if self.base is None else [self.base]))))
        if len(set(sizes)) != 1 or not sizes[0]:
            raise InputError(
                "samples do not fit together", where=self.problem_id, got=sizes, expected="equal lengths > 0"
            )
        if not all(map(math.isfinite, self.scores)):
            raise InputError("a score is not finite", where=self.problem_id, got=self.scores)

    def pass_at(self, k: int) -> float:
        """See ``pass_at_k``."""
        return self._once("pass", k, lambda: pass_at_k(self.correct, k))

    def prm_at(self, k: int) -> float:
        """See ``prm_at_k``."""
        if not self._ranked:
            self._ranked.extend(ranked(self.scores, self.correct))
        return self._once("prm", k, lambda: _best_of(self._ranked, len(self.correct), k))

    def maj_at(self, k: int) -> float:
        """See ``maj_at_k``."""
        return self._once("maj", k, lambda: maj_at_k(self.classes, self.correct, k))

    def _once(self, rule: str, k: int, value: Callable[[], float]) -> float:
        if (rule, k) not in self._known:
            self._known[rule, k] = value()
        return self._known[rule, k]


def pass_at_k(correct: Sequence[bool], k: int) -> float:
    """The probability that k samples hold a correct one: 1 - C(n - c, k) / C(n, k).

    Source: arXiv 2107.03374, equation 1.

    Raises:
        InputError: k is not in [1, n].
    """
    n = _checked(correct, k)
    return 1.0 - math.comb(n - sum(correct), k) / math.comb(n, k)


def prm_at_k(scores: Sequence[float], correct: Sequence[bool], k: int) -> float:
    """The expected accuracy of the best scored of k samples; among equal scores the winner is drawn fairly.

    With the samples sorted best first, sample i (from 1) wins in C(n - i, k - 1) of the C(n, k) subsets.

    Raises:
        InputError: k is not in [1, n], or scores and correct differ in length.
    """
    n = _checked(correct, k, scores)
    return _best_of(ranked(scores, correct), n, k)


def ranked(scores: Sequence[float], correct: Sequence[bool]) -> list[Tied]:
    """The samples of each score, the highest first."""
    tied: defaultdict[float, list[bool]] = defaultdict(list)
    for score, right in zip(scores, correct, strict=True):
        tied[score].append(right)
    groups, better = [], 0
    for score in sorted(tied, reverse=True):
        groups.append(Tied(better, len(tied[score]), sum(tied[score])))
        better += len(tied[score])
    return groups


def _best_of(groups: Sequence[Tied], n: int, k: int) -> float:
    return math.fsum(
        _win(n, k, better, size) * right / size for better, size, right in groups if right and better <= n - k
    )


@lru_cache(maxsize=1 << 16)  # one for every k and place, which all problems of n samples ask
def _win(n: int, k: int, better: int, size: int) -> float:
    """The share of the k-subsets of n samples whose best is one of ``size``, where ``better`` ones score higher."""
    # Subsets without a better sample, less those without one of these either.
    return (math.comb(n - better, k) - math.comb(n - better - size, k)) / math.comb(n, k)


def maj_at_k(classes: Sequence[int | None], correct: Sequence[bool], k: int) -> float:
    """The expected accuracy of the most frequent answer of k samples, ties broken fairly; 0 where none votes.

    The class counts in a random k-subset are multivariate hypergeometric: independent binomials, given their sum. So
    for each winning count v, one pass over the classes adds up the probability of (samples used, classes tied at v),
    and beside it that probability times the accuracy of the tied classes. Nothing is enumerated.

    A class may hold right and wrong samples (programs that agree on public tests); it counts by its share.

    Raises:
        InputError: k is not in [1, n], or classes and correct differ in length.
    """
    n = _checked(correct, k, classes)
    sizes = Counter(label for label in classes if label is not None)
    accuracy = _class_accuracy(classes, correct)
    silent = _binomial(n - sizes.total(), k, n)
    voters: list[Voter] = [(_binomial(size, k, n), accuracy[label]) for label, size in sizes.items()]
    most_of = np.minimum(np.array(list(sizes.values()), dtype=np.int64), k)
    tying = {votes: int((most_of >= votes).sum()) for votes in range(1, most_of.max(initial=0) + 1)}
    # A winner with fewer votes leaves samples over that nobody may have.
    possible = [votes for votes in tying if len(silent) - 1 + np.minimum(most_of, votes).sum() >= k]
    won = 0.0
    for _, group in groupby(possible, key=tying.__getitem__):
        for part in _won_by(list(group), k, silent, voters):
            won += part  # not by sum(), which rounds differently from one Python to the next
    return won / _binomial(n, k, n)[k]


Voter = tuple[Sequence[float], float]
"""A class: the probability of each number of its samples in a subset, and its accuracy."""


def _won_by(votes: Sequence[int], k: int, silent: Sequence[float], voters: Sequence[Voter]) -> list[float]:
    """The parts of ``maj_at_k`` in which the winner has so many votes, before the sum of the counts is given.

    Args:
        votes: of the winner, numbers that follow each other and that the same classes may have.
        k: samples.
        silent: the probability of each number of samples without a vote.
        voters: the classes.
    """
    taken = [min(len(chances) - 1, votes[-1]) for chances, _ in voters]  # by each class, at most
    to_come, low, high = sum(taken), 0, len(silent) - 1
    # state[v, 0, j, t]: probability that low + j samples are used and t classes have votes[v], none more;
    # state[v, 1]: the same times the summed accuracy of those t classes. Only those j are kept from which the classes
    # to come can reach k.
    state = np.zeros((len(votes), 2, len(silent), 1))
    state[:, 0, :, 0] = silent
    for (chances, accuracy), own in zip(voters, taken, strict=True):
        to_come -= own
        first, last = max(0, k - to_come), min(k, high + own)
        tied = state.shape[3]
        after = np.zeros((len(votes), 2, last - first + 1, min(tied + (own == votes[-1]), k // votes[0] + 1)))
        for count in range(min(votes[-1], own + 1)):
            fewer = max(0, count + 1 - votes[0])  # where so many samples of a class do not tie yet
            to, of = _moved(count, (low, high), (first, last))
            after[fewer:, :, to, :tied] += chances[count] * state[fewer:, :, of]
        if own == votes[-1]:
            for number, count in enumerate(votes):
                to, of = _moved(count, (low, high), (first, last))
                tying = chances[count] * state[number, :, of, : after.shape[3] - 1]
                after[number, :, to, 1:] += tying
                after[number, 1, to, 1:] += accuracy * tying[0]
        state, low, high = after, first, last
    return [_shared(one[1, k - low, 1:], k // count) for one, count in zip(state, votes, strict=True)]


def _moved(count: int, before: tuple[int, int], after: tuple[int, int]) -> tuple[slice, slice]:
    """Where numbers of used samples within ``after`` stand, and, within ``before``, those that are ``count`` less."""
    begin, end = max(after[0], before[0] + count), min(after[1], before[1] + count) + 1
    end = max(begin, end)
    return slice(begin - after[0], end - after[0]), slice(begin - count - before[0], end - count - before[0])


def _shared(accuracies: NDArray[np.float64], most: int) -> float:
    """The summed accuracies of 1, 2, ... classes that tie, at ``most`` so many, each as one mean."""
    row = np.zeros(most)
    row[: len(accuracies)] = accuracies[:most]
    return float(row @ (1.0 / np.arange(1, most + 1)))


def weighted_at_n(scores: Sequence[float], classes: Sequence[int | None], correct: Sequence[bool]) -> float:
    """The expected accuracy of the answer with the largest sum of scores over all n samples; 0 where none votes.

    Raises:
        InputError: there is no sample, or the arguments differ in length.
    """
    _checked(correct, len(correct), scores, classes)
    by_class: defaultdict[int, list[float]] = defaultdict(list)
    for score, label in zip(scores, classes, strict=True):
        if label is not None:
            by_class[label].append(score)
    # fsum is exact whatever the order, so that equal weights compare equal.
    weights = {label: math.fsum(members) for label, members in by_class.items()}
    accuracy = _class_accuracy(classes, correct)
    most = max(weights.values(), default=0.0)
    tied = [accuracy[label] for label, weight in weights.items() if weight == most]
    return math.fsum(tied) / len(tied) if tied else 0.0


def doublings(most: int) -> list[int]:
    """1, 2, 4, ... and the most."""
    return sorted({most, *(1 << power for power in range(most.bit_length()))})


def with_samples(problems: Sequence[Samples], k: int) -> list[Samples]:
    """The problems that have k samples or more.

    Raises:
        InputError: k is not positive, or none has so many.
    """
    having = [samples for samples in problems if len(samples.correct) >= k]
    if k < 1 or not having:
        most = max((len(samples.correct) for samples in problems), default=0)
        raise InputError("k does not fit the samples", got=k, expected=f"1 <= k <= {most} samples")
    return having


def selection_table(problems: Sequence[Samples], ks: Sequence[int]) -> dict[str, Estimate]:
    """The mean over problems of ``pass@1``, and of ``pass@k``, ``maj@k`` and ``prm@k`` for each k, in that order.

    At each k over the problems that have so many samples: ``n`` counts them. Where all of these have exactly k,
    ``weighted@k`` is there too.

    Raises:
        InputError: there is no problem, or none has k samples.
    """
    table = {"pass@1": mean([samples.pass_at(1) for samples in problems])}
    for k in sorted(set(ks)):
        having = with_samples(problems, k)
        table[f"pass@{k}"] = mean([samples.pass_at(k) for samples in having])
        table[f"maj@{k}"] = mean([samples.maj_at(k) for samples in having])
        table[f"prm@{k}"] = mean([samples.prm_at(k) for samples in having])
        if all(len(samples.correct) == k for samples in having):
            weighted = [weighted_at_n(samples.scores, samples.classes, samples.correct) for samples in having]
            table[f"weighted@{k}"] = mean(weighted)
    return table


def within_problem_auc(problems: Sequence[Samples]) -> Estimate:
    """The mean AUC of the score over the problems that have both right and wrong samples; ties count half.

    It asks whether the PRM tells solutions of one problem apart, not easy problems from hard ones. NaN with n = 0
    where no problem has both.
    """
    values = [auc(samples.scores, samples.correct) for samples in problems]
    mixed = [value for value in values if not math.isnan(value)]
    return mean(mixed) if mixed else Estimate(value=math.nan, stderr=math.nan, n=0)


def _class_accuracy(classes: Sequence[int | None], correct: Sequence[bool]) -> dict[int, float]:
    members: defaultdict[int, list[bool]] = defaultdict(list)
    for label, right in zip(classes, correct, strict=True):
        if label is not None:
            members[label].append(right)
    return {label: sum(rights) / len(rights) for label, rights in members.items()}


@lru_cache(maxsize=1 << 12)  # classes of the same few sizes are in every problem
def _binomial(size: int, k: int, n: int) -> tuple[float, ...]:
    """Binomial(size, k / n) of 0 to min(size, k), by integers, so that no factor overflows."""
    total = n**size
    return tuple(math.comb(size, x) * k**x * (n - k) ** (size - x) / total for x in range(min(size, k) + 1))


def _checked(correct: Sequence[bool], k: int, *others: Sequence[object]) -> int:
    n = len(correct)
    if any(len(other) != n for other in others):
        raise InputError("samples do not fit together", got=[n, *map(len, others)], expected="equal lengths")
    if not 1 <= k <= n:
        raise InputError("k does not fit the samples", got=k, expected=f"1 <= k <= {n} samples")
    return n
