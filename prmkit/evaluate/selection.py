"""Accuracy of a selection rule at k samples, from the n >= k samples of a problem. One with fewer does not count at k.

Every ``@k`` is an exact expectation over the k-subsets of the samples, each equally likely, and over fair tie-breaking:
nothing is drawn at random.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from prmkit.errors import InputError
from prmkit.evaluate.auc import auc
from prmkit.stats import Estimate, mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The solutions sampled for one problem.

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

    def __post_init__(self) -> None:
        sizes = tuple(map(len, (self.scores, self.classes, self.correct, *([] if self.base is None else [self.base]))))
        if len(set(sizes)) != 1 or not sizes[0]:
            raise InputError(
                "samples do not fit together", where=self.problem_id, got=sizes, expected="equal lengths > 0"
            )
        if not all(map(math.isfinite, self.scores)):
            raise InputError("a score is not finite", where=self.problem_id, got=self.scores)


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
    tied: defaultdict[float, list[bool]] = defaultdict(list)
    for score, right in zip(scores, correct, strict=True):
        tied[score].append(right)
    subsets, better, terms = math.comb(n, k), 0, []
    for score in sorted(tied, reverse=True):
        group = tied[score]
        # Subsets whose best is in this group: those without a better sample, less those without this group either.
        wins = math.comb(n - better, k) - math.comb(n - better - len(group), k)
        terms.append(wins / subsets * sum(group) / len(group))
        better += len(group)
    return math.fsum(terms)


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
    binomials = {label: _binomial(size, k, n) for label, size in sizes.items()}
    won = 0.0
    for votes in range(1, min(k, max(sizes.values(), default=0)) + 1):
        # state[0, j, t]: probability that j samples are used and t classes have ``votes``, none more;
        # state[1]: the same times the summed accuracy of those t classes.
        state = np.zeros((2, k + 1, k // votes + 1))
        state[0, : len(silent), 0] = silent
        for label, chances in binomials.items():
            after = np.zeros_like(state)
            for count, chance in enumerate(chances[:votes]):
                after[:, count:] += chance * state[:, : k + 1 - count]
            if len(chances) > votes:
                tied = chances[votes] * state[:, : k + 1 - votes, :-1]
                after[:, votes:, 1:] += tied
                after[1, votes:, 1:] += accuracy[label] * tied[0]
            state = after
        won += float(state[1, k, 1:] @ (1.0 / np.arange(1, state.shape[2])))
    return won / float(_binomial(n, k, n)[k])


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
    table = {"pass@1": mean([pass_at_k(samples.correct, 1) for samples in problems])}
    for k in sorted(set(ks)):
        having = with_samples(problems, k)
        table[f"pass@{k}"] = mean([pass_at_k(samples.correct, k) for samples in having])
        table[f"maj@{k}"] = mean([maj_at_k(samples.classes, samples.correct, k) for samples in having])
        table[f"prm@{k}"] = mean([prm_at_k(samples.scores, samples.correct, k) for samples in having])
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


def _binomial(size: int, k: int, n: int) -> list[float]:
    """Binomial(size, k / n) of 0 to min(size, k), by integers, so that no factor overflows."""
    total = n**size
    return [math.comb(size, x) * k**x * (n - k) ** (size - x) / total for x in range(min(size, k) + 1)]


def _checked(correct: Sequence[bool], k: int, *others: Sequence[object]) -> int:
    n = len(correct)
    if any(len(other) != n for other in others):
        raise InputError("samples do not fit together", got=[n, *map(len, others)], expected="equal lengths")
    if not 1 <= k <= n:
        raise InputError("k does not fit the samples", got=k, expected=f"1 <= k <= {n} samples")
    return n
