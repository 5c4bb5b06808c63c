"""Does a selector choose responses that are more alike than random selection would, from the same candidates?

Shapes: N responses, D draws, G problems with a choice.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from prmkit.errors import InputError
from prmkit.similarity.statistics.gram import Float64Array, PatternGram
from prmkit.similarity.statistics.measure import WHOLE, Measure, cosines
from prmkit.similarity.statistics.result import SelectionTest

Stratum = Literal["correct", "length"]

# Selections that are equal but for the order of a sum must count as equal.
_ROUNDING = 1e-12
_QUANTILES = 5
# Draws that are compared at once: their counts of all responses are one matrix.
_AT_ONCE = 1000


def random_selection_test(
    gram: PatternGram,
    first: str,
    second: str,
    pools: Mapping[str, str],
    *,
    strata: Sequence[Stratum] = (),
    draws: int = 10_000,
    seed: int,
    measure: Measure = WHOLE,
    kernel_NN: Float64Array | None = None,
) -> SelectionTest:
    """Tests the score of two sets, of which one or both were chosen from candidates; the same for the same seed.

    A random selection takes, for each problem with a choice, one of its candidates. Label shuffling between domains
    would only show that the domains differ.

    Args:
        gram: of all sets.
        first: a set.
        second: a set that shares no response with the first one's candidates.
        pools: of a chosen set, the set it was chosen from; a set without a pool stays as it is.
        strata: what a random choice shares with the choice it stands for: whether it is correct, and the fifth of its
            set that its length falls in. Without them, a selector of right answers is compared with any answer.
        draws: number of random selections.
        seed: of the draws.
        measure: of the cosines.
        kernel_NN: a similarity of responses to use in place of the cosines.

    Raises:
        InputError: no such set, neither was chosen, a problem has two choices, a choice is no candidate, a candidate is
            in both sets, or correctness is not known.
    """
    if draws < 1:
        raise InputError("no draws", got=draws, expected="at least 1")
    if not {first, second} & pools.keys():
        raise InputError("neither set was chosen from another", got=(first, second), expected=f"one of {sorted(pools)}")
    kernel_NN = cosines(gram, measure) if kernel_NN is None else kernel_NN
    sides = [_side(gram, name, pools.get(name), strata) for name in (first, second)]
    if {row for pool in sides[0] for row in pool[1]} & {row for pool in sides[1] for row in pool[1]}:
        raise InputError("a candidate is in the other set", got=(first, second), expected="disjoint sets")
    random = np.random.default_rng(seed)
    scores_D = np.concatenate([_random_scores(kernel_NN, sides, size, random) for size in _chunks(draws)])
    observed = float(kernel_NN[np.ix_(*([row for row, _ in side] for side in sides))].mean())
    expected = _share(sides[0]) @ kernel_NN[np.ix_(*map(_candidates, sides))] @ _share(sides[1])
    low, high = np.quantile(scores_D, [0.025, 0.975])
    tested = [side for name, side in zip((first, second), sides, strict=True) if name in pools]
    return SelectionTest(
        first=first,
        second=second,
        strata=" and ".join(strata) or "none",
        observed=observed,
        expected=float(expected),
        low=float(low),
        high=float(high),
        p_value=(1 + int((scores_D >= observed - _ROUNDING).sum())) / (1 + draws),
        draws=draws,
        problems=sum(map(len, tested)),
        free=sum(len(pool) > 1 for side in tested for _, pool in side),
    )


def pools_of(gram: PatternGram) -> dict[str, str]:
    """Of every set that holds at most one response a problem and lies in a larger one, the smallest such set."""
    found: dict[str, str] = {}
    for name, rows in gram.sets.items():
        problems = [gram.problem_ids[row] for row in rows]
        larger = [other for other, all_rows in gram.sets.items() if set(rows) < set(all_rows)]
        if larger and len(set(problems)) == len(problems):
            found[name] = min(larger, key=lambda other: len(gram.sets[other]))
    return found


_Side = list[tuple[int, list[int]]]
"""Each choice, and the candidates that a random selection draws from in its place."""


def _side(gram: PatternGram, name: str, pool: str | None, strata: Sequence[Stratum]) -> _Side:
    rows = gram.rows(name)
    if pool is None:
        return [(row, [row]) for row in rows]
    candidates: dict[str, list[int]] = {}
    for row in gram.rows(pool):
        candidates.setdefault(gram.problem_ids[row], []).append(row)
    strata_N = _strata(gram, pool, strata)
    side: _Side = []
    seen: set[str] = set()
    for row in rows:
        problem = gram.problem_ids[row]
        if problem in seen:
            raise InputError("a problem has two choices", where=problem, expected="one chosen response a problem")
        if row not in candidates.get(problem, ()):
            raise InputError("a chosen response is no candidate", where=problem, expected=f"one of set {pool}")
        seen.add(problem)
        side.append((row, [other for other in candidates[problem] if strata_N[other] == strata_N[row]]))
    return side


def _strata(gram: PatternGram, pool: str, strata: Sequence[Stratum]) -> dict[int, tuple[int, ...]]:
    """The stratum of each candidate."""
    rows = gram.rows(pool)
    keys: list[list[int]] = [[] for _ in rows]
    if "correct" in strata:
        for key, row in zip(keys, rows, strict=True):
            correct = gram.correct[row]
            if correct is None:
                raise InputError(
                    "it is not known which responses are correct",
                    where=pool,
                    cure="Run prmkit evaluate on the search first, or give `correct` in the file of responses.",
                )
            key.append(int(correct))
    if "length" in strata:
        lengths = np.array([gram.lengths[row] for row in rows])
        cuts = np.quantile(lengths, np.arange(1, _QUANTILES) / _QUANTILES)
        for key, fifth in zip(keys, np.searchsorted(cuts, lengths, side="left").tolist(), strict=True):
            key.append(fifth)
    return {row: tuple(key) for row, key in zip(rows, keys, strict=True)}


def _random_scores(
    kernel_NN: Float64Array, sides: Sequence[_Side], draws: int, random: np.random.Generator
) -> Float64Array:
    """[D] scores of random selections on both sides."""
    kernel_AB = kernel_NN[np.ix_(*map(_candidates, sides))]
    first_DA, second_DB = (_drawn(side, draws, random) for side in sides)
    # A side that never changes is one row, which saves the product of two large matrices.
    if len(second_DB) == 1:
        scores_D = first_DA @ (kernel_AB @ second_DB[0])
    else:
        scores_D = ((first_DA @ kernel_AB) * second_DB).sum(axis=1)
    return np.broadcast_to(scores_D, (draws,))


def _drawn(side: _Side, draws: int, random: np.random.Generator) -> Float64Array:
    """[D, A]: the share of each candidate in each random selection; one row where there is nothing to draw."""
    if all(len(pool) == 1 for _, pool in side):
        return _share(side)[None]
    position = {row: number for number, row in enumerate(_candidates(side))}
    shares_DA = np.zeros((draws, len(position)))
    for _, pool in side:
        places = np.array([position[row] for row in pool])
        shares_DA[np.arange(draws), places[random.integers(len(pool), size=draws)]] += 1 / len(side)
    return shares_DA


def _candidates(side: _Side) -> list[int]:
    """Every row that a selection may hold, once."""
    return list(dict.fromkeys(row for _, pool in side for row in pool))


def _share(side: _Side) -> Float64Array:
    """[A]: the share of each candidate in all selections together."""
    position = {row: number for number, row in enumerate(_candidates(side))}
    share_A = np.zeros(len(position))
    for _, pool in side:
        for row in pool:
            share_A[position[row]] += 1 / len(pool) / len(side)
    return share_A


def _chunks(draws: int) -> list[int]:
    return [min(_AT_ONCE, draws - start) for start in range(0, draws, _AT_ONCE)]
