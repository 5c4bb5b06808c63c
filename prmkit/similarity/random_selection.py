"""Does a selector choose responses that are more alike than random selection would, from the same candidates?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prmkit.errors import InputError
from prmkit.similarity.gram import PatternGram
from prmkit.similarity.scores import PERCENT, cosines

# Selections that are equal but for the order of a sum must count as equal.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionTest:
    """The outcome of a permutation test, scores in percent.

    Attributes:
        observed: score of the chosen responses against the other set.
        expected: its exact mean under random selection.
        p_value: (1 + draws at least as high as observed) / (1 + draws), one-sided.
        draws: number of random selections.
        problems: number of problems with a choice.
    """

    observed: float
    expected: float
    p_value: float
    draws: int
    problems: int


def random_selection_test(
    gram: PatternGram,
    *,
    candidates: str,
    chosen: str,
    other: str,
    draws: int = 10_000,
    seed: int,
    layers: Sequence[int] | None = None,
) -> SelectionTest:
    """Tests the chosen responses against one random candidate for each problem; the same for the same seed.

    Label shuffling between domains would only show that the domains differ. To hold correctness or length fixed, give a
    set of candidates that are all correct, or all of a length.

    Args:
        gram: of all three sets.
        candidates: the set the selector chose from; only problems with a chosen response are drawn from.
        chosen: the set of its choices, one a problem, each a candidate.
        other: the set that is compared with.
        draws: number of random selections.
        seed: of the draws.
        layers: of the model; None takes all.

    Raises:
        InputError: no such set, a problem has two choices, a choice is no candidate, or a candidate is in ``other``.
    """
    if draws < 1:
        raise InputError("no draws", got=draws, expected="at least 1")
    choices, pools = _choices(gram, candidates, chosen, other)
    cosine_NN = cosines(gram, layers)
    # The score is linear in the chosen responses, so each needs but its own mean over the other set.
    score_N = cosine_NN[:, list(gram.rows(other))].mean(axis=1)
    random = np.random.default_rng(seed)
    sums = np.zeros(draws)
    for pool in pools:
        sums += score_N[random.choice(pool, size=draws)]
    observed = float(score_N[choices].mean())
    at_least = int((sums / len(pools) >= observed - _ROUNDING).sum())
    return SelectionTest(
        observed=PERCENT * observed,
        expected=PERCENT * float(np.mean([score_N[pool].mean() for pool in pools])),
        p_value=(1 + at_least) / (1 + draws),
        draws=draws,
        problems=len(pools),
    )


def _choices(gram: PatternGram, candidates: str, chosen: str, other: str) -> tuple[list[int], list[NDArray[np.int_]]]:
    """The chosen row of each problem, and all its candidate rows."""
    choice_of: dict[str, int] = {}
    for row in gram.rows(chosen):
        problem = gram.problem_ids[row]
        if problem in choice_of:
            raise InputError("a problem has two choices", where=problem, expected="one chosen response a problem")
        if row not in gram.rows(candidates):
            raise InputError("a chosen response is no candidate", where=problem, expected=f"one of set {candidates}")
        choice_of[problem] = row
    pools = [[row for row in gram.rows(candidates) if gram.problem_ids[row] == problem] for problem in choice_of]
    if set(gram.rows(other)) & {row for pool in pools for row in pool}:
        raise InputError("a candidate is in the other set", got=other, expected="disjoint sets")
    return list(choice_of.values()), [np.array(pool) for pool in pools]
