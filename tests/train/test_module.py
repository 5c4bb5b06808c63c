import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from prmkit.errors import RunError
from prmkit.models.config import ModelConfig
from prmkit.models.flops import ForwardFlops
from prmkit.models.prm import PRM
from prmkit.packing.batch import StepBatch, collate
from prmkit.train.config import TrainConfig
from prmkit.train.module import PRMModule, rate_at
from tests.tiny import path_tree, tiny_backbone, tiny_encoder, tree_rows


class FixedLogits(nn.Module):
    """A PRM that says what the test wrote down."""

    read_only = False

    def __init__(self, logits_BS: list[list[float]]) -> None:
        super().__init__()
        self.logits_BS = nn.Parameter(torch.tensor(logits_BS))

    def forward(self, *batch: object) -> torch.Tensor:
        return self.logits_BS


def batch(*labels: list[float | None]) -> StepBatch:
    trees = [path_tree("1 ?", [*((str(n), value) for n, value in enumerate(row))]) for row in labels]
    return collate([row for tree in trees for row in tree_rows(tree, tiny_encoder(), 64).rows])


def module(logits_BS: list[list[float]], *, accumulate: int = 1, world: int = 1) -> PRMModule:
    made = PRMModule(FixedLogits(logits_BS), TrainConfig())  # type: ignore[arg-type]
    strategy = SimpleNamespace(
        distributed_sampler_kwargs={"num_replicas": world, "rank": 0}, reduce=lambda values, reduce_op: values
    )
    made._trainer = SimpleNamespace(  # type: ignore[assignment]
        accumulate_grad_batches=accumulate,
        world_size=world,
        current_epoch=0,
        global_step=0,
        strategy=strategy,
        loggers=[],
    )
    made.log_dict = lambda values, logger: logged.update({k: float(v) for k, v in values.items()})  # type: ignore[assignment, method-assign]
    made._cost = ForwardFlops(per_token=10.0, per_pair=1.0, per_read=100.0)
    return made


logged: dict[str, float] = {}
"""What the last module published."""


def test_the_loss_is_the_mean_cross_entropy_of_all_labels() -> None:
    # Logits are log-odds: log(3) is a score of 0.75, 0 is 0.5, -log(4) is 0.2.
    made = module([[math.log(3), 0.0], [-math.log(4), 9.0]])
    loss = made.training_step(batch([1.0, 0.0], [0.0]), 0).detach()
    # -(log 0.75 + log 0.5 + log 0.8) / 3; the 9.0 stands at padding.
    assert float(loss) == pytest.approx(-(math.log(0.75) + math.log(0.5) + math.log(0.8)) / 3, abs=1e-6)


def test_a_soft_label_stays_soft() -> None:
    # Score 0.75, label 0.7: -(0.7 log 0.75 + 0.3 log 0.25) = 0.617; an integer label would give 1.386 or 0.288.
    loss = module([[math.log(3)]]).training_step(batch([0.7]), 0).detach()
    assert float(loss) == pytest.approx(-(0.7 * math.log(0.75) + 0.3 * math.log(0.25)), abs=1e-6)


def test_a_batch_without_labels_costs_nothing_and_moves_nothing() -> None:
    given = batch([1.0, 0.0])
    empty = StepBatch(
        ids_BT=given.ids_BT,
        mask_BT=given.mask_BT,
        ends_BS=given.ends_BS,
        labels_BS=torch.zeros(1, 2),
        weights_BS=torch.zeros(1, 2),
        steps_B=given.steps_B,
        packing=None,
        total_weight=0.0,
        tokens=given.tokens,
        pairs=given.pairs,
        problems=given.problems,
    )
    made = module([[3.0, -2.0]])
    loss = made.training_step(empty, 0)
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(made.prm.logits_BS.grad, torch.zeros(1, 2))


def test_accumulation_and_ranks_cancel_out() -> None:
    # Lightning takes 1/4 of the loss (4 batches a step), the strategy the mean over 2 ranks.
    whole = module([[1.0]]).training_step(batch([1.0]), 0).detach()
    part = module([[1.0]], accumulate=4, world=2).training_step(batch([1.0]), 0).detach()
    assert float(part) / 8 == pytest.approx(float(whole), abs=1e-7)


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    with pytest.raises(RunError, match=r"not finite in batch 7 of epoch 0 \(problems 1 \?\)"):
        module([[math.nan]]).training_step(batch([1.0]), 7)


def test_dropout_is_seeded_by_the_place_of_the_batch() -> None:
    given = module([[0.0]])
    given.on_train_batch_start(batch([1.0]), 3)
    # seed 0, epoch 0, batch 3, part 0: printf '0:0:3:0' | sha256sum
    assert torch.initial_seed() == 0x9362E6BA909835


def test_held_out_metrics_are_those_of_all_labels() -> None:
    made = module([[math.log(3), 0.0], [-math.log(4), 9.0]])
    made.training_step(batch([1.0, 0.0], [0.7]), 0)
    made.validation_step(batch([1.0, 0.0], [0.7]), 0)
    made.on_validation_epoch_end()
    # Scores 0.75, 0.5, 0.2 for labels 1, 0, 0.7. Brier: (0.25^2 + 0.5^2 + 0.5^2) / 3.
    assert logged["brier"] == pytest.approx((0.0625 + 0.25 + 0.25) / 3, abs=1e-6)
    expected = -(math.log(0.75) + math.log(0.5) + 0.7 * math.log(0.2) + 0.3 * math.log(0.8)) / 3
    assert logged["loss"] == pytest.approx(expected, abs=1e-6)
    # Pairs (right, wrong): 0.75 > 0.5 is in order, 0.2 < 0.5 is not (0.7 counts as right): 1 of 2.
    assert logged["auroc"] == pytest.approx(0.5)


def test_auroc_of_one_class_is_not_a_number() -> None:
    made = module([[0.3]])
    made.training_step(batch([1.0]), 0)
    made.validation_step(batch([1.0]), 0)
    made.on_validation_epoch_end()
    assert math.isnan(logged["auroc"])


def test_the_global_gradient_norm_is_clipped() -> None:
    made = module([[0.0, 0.0]])
    made.prm.logits_BS.grad = torch.tensor([[3.0, 4.0]])  # norm 5, to be clipped to the default of 1
    made.configure_gradient_clipping(None)
    torch.testing.assert_close(made.prm.logits_BS.grad, torch.tensor([[0.6, 0.8]]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        # 2 of 10 steps warm up, at 1/3 and 2/3 of the peak; then 8 steps fall.
        ("constant", {0: 1 / 3, 1: 2 / 3, 2: 1.0, 6: 1.0, 9: 1.0}),
        ("linear", {0: 1 / 3, 2: 1.0, 6: 0.5, 9: 1 / 8}),
        ("cosine", {1: 2 / 3, 2: 1.0, 6: 0.5, 9: 0.5 * (1 - math.cos(math.pi / 8))}),
    ],
)
def test_the_rate_rises_then_follows_its_schedule(schedule: str, rates: dict[int, float]) -> None:
    config = TrainConfig(warmup=0.2, schedule=schedule)  # type: ignore[arg-type]
    for step, rate in rates.items():
        assert rate_at(step, 10, config) == pytest.approx(rate)


def test_only_matrices_decay(tmp_path: Path) -> None:
    name = tiny_backbone(tmp_path)
    prm = PRM.from_backbone(name, ModelConfig(name=name, max_length=64))
    made = PRMModule(prm, TrainConfig(weight_decay=0.3))
    made._trainer = SimpleNamespace(estimated_stepping_batches=10)  # type: ignore[assignment]
    groups = made.configure_optimizers()["optimizer"].param_groups
    for group in groups:
        assert {parameter.ndim >= 2 for parameter in group["params"]} == {group["weight_decay"] == 0.3}
    assert {group["weight_decay"] for group in groups} == {0.3, 0.0}
    assert sum(len(group["params"]) for group in groups) == len(list(prm.parameters()))
