import math

import pytest
import torch

from prmkit.packing.batch import StepBatch, collate
from prmkit.train.metrics import StepMetrics
from prmkit.tree import StepTree
from tests.tiny import path_tree, tiny_encoder, tree_rows
from tests.train.test_losses import forked


def logit(score: float) -> float:
    return math.log(score / (1 - score))


def batch(*trees: StepTree, budget: int | None = None) -> StepBatch:
    return collate([row for tree in trees for row in tree_rows(tree, tiny_encoder(), 64, budget=budget).rows])


def measured(scores: list[list[float]], given: StepBatch) -> dict[str, float]:
    metrics = StepMetrics()
    logits = torch.tensor([[logit(score) for score in row] for row in scores])
    metrics.update(torch.ones_like(logits) * (given.weights_BS > 0), logits, given)
    return {name: float(value) for name, value in metrics.compute().items()}


def test_the_calibration_error_compares_means_within_bins() -> None:
    # Bins of 1/15: 0.71 and 0.72 share one (10/15 to 11/15), with mean 0.715 for labels 1 and 0; 0.1 has another.
    found = measured([[0.71, 0.72, 0.1]], batch(path_tree("1 ?", [("1", 1.0), ("2", 0.0), ("3", 0.0)])))
    assert found["ece"] == pytest.approx((2 * abs(0.715 - 0.5) + 0.1) / 3, abs=1e-6)
    assert found["brier"] == pytest.approx((0.29**2 + 0.72**2 + 0.1**2) / 3, abs=1e-6)


def test_first_errors_are_counted_as_processbench_does() -> None:
    wrong = [("1", 1.0), ("2", 0.0), ("3", 0.0)]
    given = batch(*(path_tree(f"{n} ?", wrong) for n in range(3)), path_tree("9 ?", [("1", 1.0)] * 3))
    scores = [[0.9, 0.2, 0.9], [0.4, 0.2, 0.1], [0.9, 0.9, 0.2], [0.9, 0.9, 0.9]]
    # Of three erroneous paths the first is judged rightly (too early, too late); the right one is: 2 * 1/3 / (4/3).
    assert measured(scores, given)["f1"] == pytest.approx(0.5)


def test_each_path_of_a_packed_tree_is_judged() -> None:
    # Paths right-right and right-wrong: found right, and the mistake missed.
    assert measured([[0.9, 0.8, 0.7]], batch(forked(), budget=64))["f1"] == 0.0
    assert measured([[0.9, 0.8, 0.3]], batch(forked(), budget=64))["f1"] == 1.0


def test_sums_over_batches_are_those_of_one() -> None:
    trees = [path_tree("1 ?", [("1", 1.0), ("2", 0.3)]), path_tree("2 ?", [("1", 0.8), ("2", 1.0)])]
    scores = torch.tensor([[0.2, 1.1], [-0.4, 2.0]])
    whole, parts = StepMetrics(), StepMetrics()
    whole.update(scores.abs(), scores, batch(*trees))
    for index in range(2):
        parts.update(scores[index : index + 1].abs(), scores[index : index + 1], batch(trees[index]))
    assert {k: float(v) for k, v in whole.compute().items()} == pytest.approx(
        {k: float(v) for k, v in parts.compute().items()}, nan_ok=True
    )
