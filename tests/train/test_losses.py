import math

import pytest
import torch

from prmkit.packing.batch import StepBatch, collate
from prmkit.train.config import TrainConfig
from prmkit.train.losses import pqm_losses, step_losses, step_paths
from prmkit.tree import ROOT, Problem, StepTree
from tests.tiny import human, path_tree, tiny_encoder, tree_rows


def forked() -> StepTree:
    """A right step, then either a right one or a wrong one."""
    tree = StepTree(Problem(id="p", prompt="1 ?"))
    first = tree.add(ROOT, "1", label=human(1.0))
    tree.add(first, "2", label=human(1.0))
    tree.add(first, "3", label=human(0.0))
    return tree


def batch(*trees: StepTree, budget: int | None = None) -> StepBatch:
    rows = [row for tree in trees for row in tree_rows(tree, tiny_encoder(), 64, weighting="rows", budget=budget).rows]
    return collate(rows)


def pqm(right: list[float], wrong: list[float], upto: int, margin: float) -> float:
    """The term of the right step number ``upto`` on a path; 0 means the problem, whose Q is 0."""
    q = [0.0, *right]
    below = sum(math.exp(value) for value in q[: upto + 1]) + sum(math.exp(value + margin) for value in wrong)
    return -math.log(math.exp(q[upto]) / below)


def test_the_squared_loss_is_that_of_the_probability() -> None:
    given = batch(path_tree("1 ?", [("1", 0.7), ("2", None), ("3", 0.0)]))
    losses = step_losses(torch.tensor([[math.log(3), 5.0, 0.0]]), given, TrainConfig(loss="mse"))
    torch.testing.assert_close(losses, torch.tensor([[0.05**2, 0.0, 0.25]]))


def test_pqm_on_a_path() -> None:
    # Right, wrong, right: Q = 0.3, -0.5, 0.8.
    given = batch(path_tree("1 ?", [("1", 1.0), ("2", 0.0), ("3", 1.0)]))
    losses = pqm_losses(torch.tensor([[0.3, -0.5, 0.8]]), given, margin=2.0)[0]
    expected = [pqm([0.3, 0.8], [-0.5], term, 2.0) for term in (1, 0, 2)]  # the wrong step carries the problem's term
    assert losses.tolist() == pytest.approx(expected, abs=1e-6)


def test_pqm_of_a_path_without_a_mistake_orders_its_steps() -> None:
    given = batch(path_tree("1 ?", [("1", 1.0), ("2", 1.0)]))
    losses = pqm_losses(torch.tensor([[0.3, 0.8]]), given, margin=4.0)[0]
    assert losses.tolist() == pytest.approx([pqm([0.3, 0.8], [], 1, 4.0), pqm([0.3, 0.8], [], 2, 4.0)], abs=1e-6)


def test_pqm_of_a_packed_tree_is_that_of_its_paths() -> None:
    packed, rows = batch(forked(), budget=64), batch(forked())
    # Packed: first, second, third; as rows: (first, second) and (first, third).
    one = pqm_losses(torch.tensor([[0.3, 0.8, -0.5]]), packed, 2.0) * packed.weights_BS
    other = pqm_losses(torch.tensor([[0.3, 0.8], [0.3, -0.5]]), rows, 2.0) * rows.weights_BS
    assert float(one.sum()) == pytest.approx(float(other.sum()), abs=1e-6)


def test_pqm_pushes_right_and_wrong_apart() -> None:
    given = batch(path_tree("1 ?", [("1", 1.0), ("2", 0.0)]))
    logits = torch.zeros(1, 2, requires_grad=True)
    (pqm_losses(logits, given, 4.0) * given.weights_BS).sum().backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] < 0 < logits.grad[0, 1]


def test_paths_of_a_packed_row() -> None:
    above, leaf = step_paths(batch(forked(), path_tree("1 ?", [("1", 1.0)]), budget=64))
    assert above[0].tolist() == [[True, False, False], [True, True, False], [True, False, True]]
    assert leaf.tolist() == [[False, True, True], [True, False, False]]
