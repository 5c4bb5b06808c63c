import math
import random
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import combinations, product
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.evaluate import selection as module
from prmkit.evaluate.selection import (
    Samples,
    maj_at_k,
    pass_at_k,
    prm_at_k,
    selection_table,
    weighted_at_n,
    with_samples,
    within_problem_auc,
)

SAMPLE = st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(0, 3)), st.booleans())
PROBLEM = st.lists(SAMPLE, min_size=1, max_size=8)


def brute_best(subset: tuple[tuple[int, int | None, bool], ...]) -> float:
    best = max(score for score, _, _ in subset)
    return fmean(right for score, _, right in subset if score == best)


def brute_vote(subset: tuple[tuple[int, int | None, bool], ...]) -> float:
    """Accuracy of a random member of a random most frequent class."""
    votes = Counter(label for _, label, _ in subset if label is not None)
    if not votes:
        return 0.0
    winners = [label for label, count in votes.items() if count == max(votes.values())]
    return fmean(fmean(right for _, label, right in subset if label == winner) for winner in winners)


@given(PROBLEM, st.data())
def test_expectations_equal_the_mean_over_all_subsets(
    samples: list[tuple[int, int | None, bool]], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(samples)))
    subsets = list(combinations(samples, k))
    scores = [float(score) for score, _, _ in samples]
    classes = [label for _, label, _ in samples]
    correct = [right for _, _, right in samples]
    assert pass_at_k(correct, k) == pytest.approx(fmean(any(s[2] for s in subset) for subset in subsets))
    assert prm_at_k(scores, correct, k) == pytest.approx(fmean(map(brute_best, subsets)), abs=1e-12)
    assert maj_at_k(classes, correct, k) == pytest.approx(fmean(map(brute_vote, subsets)), abs=1e-12)


def test_values_by_hand() -> None:
    # One right of four: a pair holds it in 3 of 6 cases.
    assert pass_at_k([True, False, False, False], 2) == 0.5
    # Scores 4 > 3 > 2 > 1, second is right: it is the best of the pairs {2,3}, {2,4}: 2 of 6.
    assert prm_at_k([4.0, 3.0, 2.0, 1.0], [False, True, False, False], 2) == pytest.approx(1 / 3)
    # All tied: the winner is a random sample.
    assert prm_at_k([1.0] * 4, [True, False, False, False], 3) == 0.25
    # Votes 2 : 2, one class right.
    assert maj_at_k([0, 0, 1, 1], [True, True, False, False], 4) == 0.5
    # Three of {0, 0, 1, None}: 0,0,1 | 0,0,None -> 0 wins; 0,1,None twice -> tie. (1 + 1 + 1/2 + 1/2) / 4.
    assert maj_at_k([0, 0, 1, None], [True, True, False, False], 3) == pytest.approx(0.75)


def vote_by_all_counts(sizes: list[int], accuracies: list[float], silent: int, k: int) -> float:
    """The vote's expected accuracy, summed over how many of each class a subset may hold."""
    total = Fraction(0)
    for counts in product(*(range(min(size, k) + 1) for size in sizes)):
        if 0 <= k - sum(counts) <= silent and max(counts):
            ways = math.prod(map(math.comb, sizes, counts)) * math.comb(silent, k - sum(counts))
            won = [accuracy for count, accuracy in zip(counts, accuracies, strict=True) if count == max(counts)]
            total += ways * Fraction(fmean(won))
    return float(total / math.comb(sum(sizes) + silent, k))


@pytest.mark.parametrize("sizes", [[9, 7, 2], [1, 1, 12], [5, 5, 5], [20], [3, 1, 1, 1]])
@pytest.mark.parametrize("silent", [0, 4])
def test_a_vote_of_many_samples_is_the_sum_over_all_counts(sizes: list[int], silent: int) -> None:
    classes = [number for number, size in enumerate(sizes) for _ in range(size)] + [None] * silent
    correct = [place % (label + 2) == 0 if label is not None else False for place, label in enumerate(classes)]
    accuracies = [
        fmean(right for label, right in zip(classes, correct, strict=True) if label == one) for one in range(len(sizes))
    ]
    for k in range(1, len(classes) + 1):
        expected = vote_by_all_counts(sizes, accuracies, silent, k)
        assert maj_at_k(classes, correct, k) == pytest.approx(expected, abs=1e-12)


def test_silence_never_wins() -> None:
    assert maj_at_k([None, None], [False, False], 2) == 0.0
    assert maj_at_k([None, None, None, 0], [False, False, False, True], 4) == 1.0
    assert weighted_at_n([0.9, 0.9], [None, None], [False, False]) == 0.0


def test_a_weighted_vote_can_overrule_the_count() -> None:
    # 0.9 + 0.8 for the right answer against 3 x 0.5 for the wrong one; equal weights are a fair tie.
    classes, correct = [0, 0, 1, 1, 1], [True, True, False, False, False]
    assert weighted_at_n([0.9, 0.8, 0.5, 0.5, 0.5], classes, correct) == 1.0
    assert maj_at_k(classes, correct, 5) == 0.0
    # 0.1 + 0.2 and 0.2 + 0.1 add up to the same weight whatever the order of the sum.
    assert weighted_at_n([0.1, 0.2, 0.3, 0.3, 0.2, 0.1], [0, 0, 0, 1, 1, 1], [True] * 3 + [False] * 3) == 0.5


def test_many_samples_neither_overflow_nor_drift() -> None:
    # 512 samples, half right: C(512, 256) has 153 digits.
    n, k = 512, 256
    correct = [True, False] * (n // 2)
    assert maj_at_k([0, 1] * (n // 2), correct, k) == pytest.approx(0.5, abs=1e-9)
    assert prm_at_k([0.5] * n, correct, k) == pytest.approx(0.5, abs=1e-12)
    # Every answer differs: the vote is a random sample.
    assert maj_at_k(list(range(64)), [True] * 16 + [False] * 48, 8) == pytest.approx(0.25, abs=1e-12)
    # The right sample is the best: it wins when it is drawn, k / n.
    assert prm_at_k(list(map(float, range(n))), [False] * (n - 1) + [True], k) == pytest.approx(k / n, abs=1e-12)


@given(PROBLEM, st.randoms(use_true_random=False))
def test_the_order_of_the_samples_changes_nothing(
    samples: list[tuple[int, int | None, bool]], order: random.Random
) -> None:
    k = (len(samples) + 1) // 2
    shuffled = order.sample(samples, len(samples))
    votes = [maj_at_k([s[1] for s in rows], [s[2] for s in rows], k) for rows in (samples, shuffled)]
    bests = [prm_at_k([float(s[0]) for s in rows], [s[2] for s in rows], k) for rows in (samples, shuffled)]
    assert votes[0] == pytest.approx(votes[1], abs=1e-12)
    assert bests[0] == pytest.approx(bests[1], abs=1e-12)


def make(problem: str, scores: list[float], classes: list[int | None], correct: list[bool]) -> Samples:
    return Samples(problem_id=problem, scores=tuple(scores), classes=tuple(classes), correct=tuple(correct))


def test_table() -> None:
    problems = [
        make("a", [0.9, 0.1], [0, 1], [True, False]),
        make("b", [0.2, 0.8], [0, 1], [True, False]),
    ]
    table = selection_table(problems, [2])
    assert list(table) == ["pass@1", "pass@2", "maj@2", "prm@2", "weighted@2"]
    # The PRM is right on a and wrong on b: 1/2 with standard error sqrt(1/2) / sqrt(2) = 1/2.
    assert (table["prm@2"].value, table["prm@2"].stderr, table["prm@2"].n) == (0.5, pytest.approx(0.5), 2)
    assert (table["pass@1"].value, table["pass@2"].value, table["maj@2"].value) == (0.5, 1.0, 0.5)
    assert "weighted@1" not in selection_table(problems, [1])


def test_a_rule_is_worked_out_once_for_each_problem_and_k(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[tuple[str, int]] = Counter()

    def counted(name: str, rule: Callable[..., float], *given: Any) -> float:
        asked[name, given[-1]] += 1
        return rule(*given)

    for name in ("pass_at_k", "maj_at_k", "_best_of"):
        monkeypatch.setattr(module, name, partial(counted, name, getattr(module, name)))
    one = make("a", [0.9, 0.1], [0, 1], [True, False])
    assert selection_table([one], [1, 2]) == selection_table([one], [1, 2])
    assert asked == {(name, k): 1 for name in ("pass_at_k", "maj_at_k", "_best_of") for k in (1, 2)}


def test_auc_within_problems_leaves_out_problems_of_one_kind() -> None:
    problems = [
        make("a", [0.9, 0.1], [0, 1], [True, False]),
        make("b", [0.3, 0.3], [0, 1], [True, False]),
        make("all right", [0.0, 1.0], [0, 0], [True, True]),
    ]
    estimate = within_problem_auc(problems)
    assert (estimate.value, estimate.n) == (0.75, 2)
    nothing = within_problem_auc(problems[2:])
    assert math.isnan(nothing.value)
    assert nothing.n == 0


def test_a_problem_counts_at_the_k_that_it_has_and_n_says_how_many_do() -> None:
    a, b = make("a", [0.9, 0.1], [0, 1], [True, False]), make("b", [0.9], [0], [False])
    table = selection_table([a, b], [1, 2])
    assert (table["pass@1"].value, table["pass@1"].n) == (0.25, 2)
    assert (table["pass@2"].value, table["pass@2"].n) == (1.0, 1)
    assert (table["weighted@2"].value, table["weighted@2"].n) == (1.0, 1)  # all that count at 2 have exactly 2
    assert "weighted@1" not in table
    assert with_samples([a, b], 2) == [a]


def test_a_k_that_no_problem_has_is_an_error() -> None:
    for k in (0, 3):
        with pytest.raises(InputError, match=f"k does not fit the samples, got {k}; expected 1 <= k <= 2 samples"):
            selection_table([make("a", [0.9, 0.1], [0, 1], [True, False])], [k])
    with pytest.raises(InputError, match="no values"):
        selection_table([], [1])
    with pytest.raises(InputError, match="do not fit together"):
        make("a", [0.1], [0, 1], [True, False])
    with pytest.raises(InputError, match="not finite"):
        make("a", [math.nan], [0], [True])
