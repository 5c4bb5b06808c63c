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
from collections.abc import Mapping, Sequence
from typing import Any

from prmkit.evaluate.select import Solution, accuracy_of, solutions
from prmkit.score.aggregate import Aggregation
from prmkit.search.answer import AnswerRule
from prmkit.stats import Estimate, mean
from prmkit.tree import StepTree

AXES = ("generations", "generated_tokens", "total_tokens", "flops", "seconds")

_ORDERS = 64

Record = Mapping[str, Any]


def anytime(
    trees: Sequence[StepTree], records: Sequence[Record], *, rule: AnswerRule, how: Aggregation, seed: int = 0
) -> dict[str, Any]:
    """The curve of one run, as JSON: ``strategy``, ``kind`` (``parts``, ``checkpoints`` or ``point``), ``points``.

    Each point has the mean cost of a problem on every axis, ``accuracy, %`` and ``stderr`` over problems.

    Args:
        trees: of the run.
        records: its costs.jsonl.
        rule: how an answer is chosen.
        how: aggregation of step scores.
        seed: of the orders of parts.
    """
    found = [solutions(tree) for tree in trees]
    if any(record["parts"] for record in records):
        kind, points = "parts", _by_parts(records, found, rule, how, seed)
    elif any(record["checkpoints"] for record in records):
        kind, points = "checkpoints", _by_checkpoints(records, found, rule, how)
    else:
        kind = "point"
        points = [_point(_costs(records, 1.0), mean([100.0 * accuracy_of(each, rule, how) for each in found]))]
    return {"strategy": trees[0].meta.get("strategy"), "kind": kind, "rule": rule, "aggregation": how, "points": points}


def _by_parts(
    records: Sequence[Record], found: Sequence[Sequence[Solution]], rule: AnswerRule, how: Aggregation, seed: int
) -> list[dict[str, Any]]:
    most = max(len(record["parts"]) for record in records)
    rng = random.Random(seed)
    orders = [
        [rng.sample(parts, len(parts)) for _ in range(_ORDERS)]
        for parts in (_solutions_of(record["parts"], each) for record, each in zip(records, found, strict=True))
    ]
    points = []
    for size in _sizes(most):
        accuracy = [
            mean([accuracy_of(itertools.chain(*order[:size]), rule, how) for order in each]).value for each in orders
        ]
        points.append(_point(_costs(records, size / most), mean([100.0 * value for value in accuracy])))
    return points


def _by_checkpoints(
    records: Sequence[Record], found: Sequence[Sequence[Solution]], rule: AnswerRule, how: Aggregation
) -> list[dict[str, Any]]:
    points = []
    for size in _sizes(max(len(record["checkpoints"]) for record in records)):
        accuracy, costs = [], []
        for record, each in zip(records, found, strict=True):
            so_far = record["checkpoints"][:size]
            leaves = {leaf for checkpoint in so_far for leaf in checkpoint["leaves"]}
            accuracy.append(100.0 * accuracy_of([one for one in each if one.leaf in leaves], rule, how))
            costs.append(so_far[-1] if so_far else record)
        points.append(_point(_costs(costs, 1.0), mean(accuracy)))
    return points


def _solutions_of(parts: Sequence[Sequence[int]], found: Sequence[Solution]) -> list[list[Solution]]:
    by_leaf = {solution.leaf: solution for solution in found}
    return [[by_leaf[leaf] for leaf in part] for part in parts]


def _sizes(most: int) -> list[int]:
    """1, 2, 4, ... and the most."""
    return sorted({most, *(1 << power for power in range(most.bit_length()) if 1 << power <= most)})


def _costs(records: Sequence[Record], share: float) -> dict[str, float | None]:
    costs: dict[str, float | None] = {}
    for axis in AXES:
        values = [record[axis] for record in records]
        costs[axis] = None if None in values else share * sum(values) / len(values)
    costs["seconds"] = share * max(record["seconds"] for record in records) / len(records)
    return costs


def _point(costs: Mapping[str, float | None], accuracy: Estimate) -> dict[str, Any]:
    return {**costs, "accuracy, %": accuracy.value, "stderr": accuracy.as_dict()["stderr"]}
