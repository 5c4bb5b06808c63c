"""Set scores without a Gram: the summed cosine of every response with every set.

Shapes: N responses, S sets, G problems, F parts that share a norm.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from prmkit.errors import InputError
from prmkit.similarity.statistics.gram import Float64Array, rows_of
from prmkit.similarity.statistics.result import SetScore
from prmkit.similarity.statistics.scores import PairSums, pairs_score


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetMeans:
    """What the engine ``mean`` finds.

    Attributes:
        sums: [N, S] summed cosines of each response with all responses of each set, itself included.
        flatness: [F, N], F parts that share a norm: the part of each unit pattern that no permutation of its values
            changes.
        problem_ids: of each response.
        sets: rows of each set.
        origin: how the patterns were made.
    """

    sums: Float64Array
    flatness: Float64Array
    problem_ids: tuple[str, ...]
    sets: dict[str, tuple[int, ...]]
    origin: dict[str, str]

    def rows(self, name: str) -> tuple[int, ...]:
        """The responses of a set.

        Raises:
            InputError: there is no such set.
        """
        return rows_of(self.sets, name)

    def score(self, first: str, second: str) -> SetScore:
        """The score of two sets. Its mean is exact.

        The standard error needs the pairs within each problem, which are not kept apart: they are taken to be as alike
        as other pairs. With many problems that changes little; where sets share no problem it is exact.

        Raises:
            InputError: no such set, or no pair of different responses.
        """
        rows, columns = np.array(self.rows(first)), np.array(self.rows(second))
        shared = np.isin(rows, columns)
        pairs = len(rows) * len(columns) - int(shared.sum())
        if not pairs:
            raise InputError("no pair of different responses", got=(first, second), expected="two responses or more")
        names = list(self.sets)
        sum_A = self.sums[rows, names.index(second)] - shared
        sum_B = self.sums[columns, names.index(first)] - np.isin(columns, rows)
        total = float(sum_A.sum())
        problem_N = np.unique(self.problem_ids, return_inverse=True)[1]
        problems = int(problem_N.max()) + 1
        pairs_G, within_G = self._pairs(problem_N[rows], problem_N[columns], rows, columns, problems)
        totals = [
            np.bincount(problem_N[found], weights=sums, minlength=problems)
            for found, sums in ((rows, sum_A), (columns, sum_B))
        ]
        sums = PairSums(
            names=(first, second),
            total=total,
            pairs=pairs,
            total_G=totals[0] + totals[1] - within_G * total / pairs,
            pairs_G=pairs_G - within_G,
        )
        return pairs_score(self, sums).model_copy(update={"chance": self._chance(rows, columns)})

    def table(self) -> list[SetScore]:
        """Every pair of sets, and each set with itself where it has two responses."""
        every = combinations_with_replacement(self.sets, 2)
        return [self.score(a, b) for a, b in every if len({*self.rows(a), *self.rows(b)}) > 1]

    def _chance(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> float:
        """The score if each pattern's values stood at random places."""
        chance_AB = self.flatness[:, rows].T @ self.flatness[:, columns]
        return float(chance_AB[rows[:, None] != columns[None, :]].mean())

    def _pairs(
        self,
        problem_A: NDArray[np.intp],
        problem_B: NDArray[np.intp],
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        problems: int,
    ) -> tuple[Float64Array, Float64Array]:
        """[G] pairs that a problem has a part in, counted from both sides, and those that lie within it."""
        count_A, count_B = (np.bincount(found, minlength=problems) for found in (problem_A, problem_B))
        same = np.bincount(problem_A[np.isin(rows, columns)], minlength=problems)
        return (
            (count_A * len(columns) + count_B * len(rows) - 2 * same).astype(np.float64),
            (count_A * count_B - same).astype(np.float64),
        )
