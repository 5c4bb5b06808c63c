"""Accuracy at every budget from one run, where one run can tell.

* A run of independent parts (the solutions of best-of-N and majority, the subtrees of DVTS, the filters of repeated
  particle filtering): any u of its U parts are a smaller run. The accuracy at u parts is the mean over random orders of
  the parts, at u / U of the cost.
* A run that could have been stopped (MCTS: a checkpoint after each round): the accuracy of the solutions so far, at the
  cost so far.
* Any other (beam, greedy, adaptive) gives one point: at a smaller budget it would have done something else.

Seconds are wall clock of the run divided by its problems, which were searched at once.
"""

import itertools
import random
from collections.abc import Sequence
from typing import Literal

from prmkit.evaluate.reselection import accuracy_of, scores_of
from prmkit.evaluate.selection import doublings
from prmkit.evaluate.solutions import Solution, Solutions
from prmkit.grade.config import GradingConfig
from prmkit.run.activity import busy
from prmkit.run.results import Figures, Result
from prmkit.score.aggregate import Aggregation
from prmkit.search.answer import AnswerRule
from prmkit.search.result import ProblemCost, Spent, mean_spent
from prmkit.stats import Estimate, mean

_ORDERS = 64


class CurvePoint(Spent):
    """The mean cost of a problem in every currency, and the accuracy at it."""

    accuracy: Estimate


class Curve(Figures):
    """The accuracy of one run at every budget, and how it is known.

    Attributes:
        strategy: of the run.
        kind: whether the run has independent parts, could have been stopped, or tells of one budget alone.
        rule: by which answers are chosen.
        aggregation: of step scores.
        points: by cost.
    """

    strategy: str
    kind: Literal["parts", "checkpoints", "point"]
    rule: AnswerRule
    aggregation: Aggregation
    points: list[CurvePoint]


class AnytimeResult(Result):
    """The curve of a search, or of each of several strategies, by name."""

    kind = "anytime"

    curves: dict[str, Curve]
    grading: GradingConfig


def anytime(
    strategy: str,
    judged: Sequence[Solutions],
    costs: Sequence[ProblemCost],
    *,
    rule: AnswerRule,
    how: Aggregation,
    seed: int = 0,
) -> Curve:
    """The curve of one run.

    Args:
        strategy: of the run.
        judged: the solutions of each problem.
        costs: of the same problems.
        rule: how an answer is chosen.
        how: aggregation of step scores.
        seed: of the orders of parts.
    """
    found = [each.finished for each in judged]
    kind: Literal["parts", "checkpoints", "point"] = "point"
    if any(cost.parts for cost in costs):
        kind, points = "parts", _by_parts(costs, found, rule, how, seed)
    elif any(cost.checkpoints for cost in costs):
        kind, points = "checkpoints", _by_checkpoints(costs, found, rule, how)
    else:
        points = [_point(costs, 1.0, mean([accuracy_of(each, rule, how) for each in found]))]
    return Curve(strategy=strategy, kind=kind, rule=rule, aggregation=how, points=points)


def _by_parts(
    costs: Sequence[ProblemCost], found: Sequence[Sequence[Solution]], rule: AnswerRule, how: Aggregation, seed: int
) -> list[CurvePoint]:
    most = max(len(cost.parts) for cost in costs)
    rng = random.Random(seed)
    orders = [
        [rng.sample(parts, len(parts)) for _ in range(_ORDERS)]
        for parts in (_solutions_of(cost.parts, each) for cost, each in zip(costs, found, strict=True))
    ]
    scores = [scores_of(each, how) for each in found]
    points = []
    with busy("choosing answers at every budget") as activity:
        for size in doublings(most):
            accuracy = []
            for each, known in zip(orders, scores, strict=True):
                chosen = [accuracy_of(itertools.chain(*order[:size]), rule, how, known) for order in each]
                accuracy.append(mean(chosen).value)
            points.append(_point(costs, size / most, mean(accuracy)))
            activity.share = size / most
    return points


def _by_checkpoints(
    costs: Sequence[ProblemCost], found: Sequence[Sequence[Solution]], rule: AnswerRule, how: Aggregation
) -> list[CurvePoint]:
    points = []
    for size in doublings(max(len(cost.checkpoints) for cost in costs)):
        accuracy: list[float] = []
        spent: list[Spent] = []
        for cost, each in zip(costs, found, strict=True):
            so_far = cost.checkpoints[:size]
            leaves = {leaf for checkpoint in so_far for leaf in checkpoint.leaves}
            accuracy.append(accuracy_of([one for one in each if one.leaf in leaves], rule, how))
            spent.append(so_far[-1] if so_far else cost)
        points.append(_point(spent, 1.0, mean(accuracy)))
    return points


def _solutions_of(parts: Sequence[Sequence[int]], found: Sequence[Solution]) -> list[list[Solution]]:
    by_leaf = {solution.leaf: solution for solution in found}
    return [[by_leaf[leaf] for leaf in part] for part in parts]


def _point(spent: Sequence[Spent], share: float, accuracy: Estimate) -> CurvePoint:
    return CurvePoint(accuracy=accuracy, **mean_spent(spent, share))
