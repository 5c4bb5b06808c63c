"""Several strategies on the same problems: what each found and spent, and how they differ, paired over problems."""

from collections.abc import Mapping, Sequence
from typing import Any

from prmkit.errors import InputError
from prmkit.run.results import Figures, Result
from prmkit.search.result import ProblemCost, Spent, mean_spent
from prmkit.stats import Estimate, mean, paired_bootstrap, paired_difference


class StrategyFigures(Spent):
    """One strategy: its accuracy, and the mean cost of a problem.

    Seconds are those of the run divided by its problems, which were searched at once. ``exhausted`` counts the problems
    that the budget ended.
    """

    strategy: str
    accuracy: Estimate
    exhausted: int


class Difference(Figures):
    """The accuracy of one strategy less another's (``pair``), paired over problems, with a 95 % bootstrap interval."""

    pair: str
    difference: Estimate
    low: float
    high: float


class Compared(Figures):
    """Strategies in their order, and the differences of each two."""

    strategies: list[StrategyFigures]
    differences: list[Difference]


class SideBySideResult(Compared, Result):
    """What several strategies found on one benchmark."""

    kind = "side-by-side"

    benchmark: str

    @classmethod
    def upgraded(cls, record: dict[str, Any], version: int) -> dict[str, Any]:
        """Before version 1 accuracies were in per cent, and differences called points."""

        def fraction(value: float, stderr: float | None, n: int) -> dict[str, Any]:
            return {"value": value / 100, "stderr": None if stderr is None else stderr / 100, "n": n}

        strategies, differences = [], []
        for row in record["strategies"]:
            old = dict(row)
            accuracy = fraction(old.pop("accuracy, %"), old.pop("stderr"), old.pop("problems"))
            strategies.append({**old, "accuracy": accuracy})
        for row in record["differences"]:
            difference = fraction(row["points"], row["stderr"], record["strategies"][0]["problems"])
            low, high = row["low"] / 100, row["high"] / 100
            differences.append({"pair": row["difference"], "difference": difference, "low": low, "high": high})
        return {"benchmark": record["benchmark"], "strategies": strategies, "differences": differences}


def side_by_side(costs: Mapping[str, Sequence[ProblemCost]], *, seed: int) -> Compared:
    """What several strategies found and spent, and how they differ.

    Args:
        costs: of each run by its name.
        seed: of the bootstrap.

    Raises:
        InputError: the runs are not of the same problems.
    """
    problems = {name: [cost.problem for cost in found] for name, found in costs.items()}
    first = next(iter(problems), "")
    for name, ids in problems.items():
        if ids != problems[first]:
            raise InputError("the runs searched different problems", got=name, expected=f"those of {first}")
    right = {name: [float(cost.right) for cost in found] for name, found in costs.items()}
    names = list(costs)
    return Compared(
        strategies=[_figures(name, right[name], costs[name]) for name in names],
        differences=[
            _difference(one, other, right[one], right[other], seed)
            for index, one in enumerate(names)
            for other in names[index + 1 :]
        ],
    )


def _figures(name: str, right: Sequence[float], costs: Sequence[ProblemCost]) -> StrategyFigures:
    exhausted = sum(cost.exhausted for cost in costs)
    return StrategyFigures(strategy=name, accuracy=mean(right), exhausted=exhausted, **mean_spent(costs))


def _difference(one: str, other: str, a: Sequence[float], b: Sequence[float], seed: int) -> Difference:
    interval = paired_bootstrap(a, b, seed=seed)
    return Difference(pair=f"{one} - {other}", difference=paired_difference(a, b), low=interval.low, high=interval.high)
