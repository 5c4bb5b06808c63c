"""The optimisation of a PRM, as a LightningModule.

Shapes: B rows, S steps.
"""

import math
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torchmetrics import MeanMetric, SumMetric
from torchmetrics.classification import BinaryAUROC

from prmkit.errors import RunError
from prmkit.models.batch import StepBatch
from prmkit.models.prm import PRM
from prmkit.train.config import TrainConfig


class PRMModule(pl.LightningModule):
    """Binary cross-entropy on hard and soft labels at step ends; AdamW.

    The loss of an optimiser step is the mean over the labels of all its batches on all ranks. Held-out metrics are
    ``loss`` (BCE), ``brier`` (mean squared difference of score and label) and ``auroc``, where a label counts as right
    from 0.5 on; AUROC is NaN where the held-out labels are of one class.

    Source: the paper, equation 2 and appendix B.2.

    ``tokens`` counts what was trained on: on this rank while training, on all ranks afterwards.

    Raises:
        RunError: while training, if a loss is not finite.
    """

    def __init__(self, prm: PRM, config: TrainConfig) -> None:
        super().__init__()
        self.prm = prm
        self.config = config
        self.tokens = 0
        # torchmetrics 1.9 forgets the weights where nan_strategy is "disable"; NaN never gets here (see _losses).
        self.train_loss = MeanMetric()
        self.val_loss = MeanMetric()
        self.brier = MeanMetric()
        self.auroc = BinaryAUROC(validate_args=False)
        self.right, self.judged = SumMetric(), SumMetric()
        if config.gradient_checkpointing:
            prm.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    def configure_model(self) -> None:
        """Shard the layers over the devices, where the strategy asks for it."""
        if not isinstance(self.trainer.strategy, ModelParallelStrategy) or isinstance(self.prm, FSDPModule):
            return
        mesh = self.trainer.strategy.device_mesh["data_parallel"]
        layers = set(self.prm.model._no_split_modules or ())
        for module in self.prm.model.modules():
            if type(module).__name__ in layers:
                fully_shard(module, mesh=mesh)
        fully_shard(self.prm, mesh=mesh)

    def training_step(self, batch: StepBatch, batch_idx: int) -> Tensor:
        """The batch's share of the mean loss of its optimiser step."""
        losses_BS, _ = self._losses(batch, f"batch {batch_idx} of epoch {self.current_epoch}")
        total = (losses_BS * batch.weights_BS).sum()
        self.tokens += batch.tokens
        self.train_loss.update(losses_BS.detach(), batch.weights_BS)
        # Lightning divides by the accumulation and the strategy by the world size; the step's label weight is exact.
        scale = self.trainer.accumulate_grad_batches * self.trainer.world_size
        return total * (scale / max(batch.total_weight, 1e-8))

    def validation_step(self, batch: StepBatch, batch_idx: int) -> None:
        """Add the batch to the held-out metrics."""
        losses_BS, scores_BS = self._losses(batch, f"held-out batch {batch_idx}")
        self.val_loss.update(losses_BS, batch.weights_BS)
        self.brier.update((scores_BS - batch.labels_BS) ** 2, batch.weights_BS)
        supervised_BS = batch.weights_BS > 0
        right_N = (batch.labels_BS >= 0.5)[supervised_BS].long()
        self.right.update(right_N.sum())
        self.judged.update(right_N.numel())
        # Even without any label: a rank whose AUROC was never updated leaves the others waiting for it.
        self.auroc.update(scores_BS[supervised_BS], right_N)

    def on_validation_epoch_end(self) -> None:
        """Publish the held-out metrics of all ranks."""
        both = 0 < float(self.right.compute()) < float(self.judged.compute())
        values = {
            "loss": self.val_loss.compute(),
            "brier": self.brier.compute(),
            "auroc": self.auroc.compute() if both else torch.tensor(math.nan),
            "train_loss": self.train_loss.compute(),
        }
        self.log_dict({name: value.float() for name, value in values.items()})
        for metric in (self.val_loss, self.brier, self.auroc, self.right, self.judged, self.train_loss):
            metric.reset()

    def on_train_end(self) -> None:
        """Add up the tokens of all ranks."""
        self.tokens = int(self.trainer.strategy.reduce(torch.tensor(self.tokens, device=self.device), reduce_op="sum"))

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        """Clip the global gradient norm."""
        # Lightning's own clipping refuses fused optimisers in mixed precision: a caution about float16's loss scale.
        nn.utils.clip_grad_norm_(self.prm.parameters(), self.config.clip_norm)

    def configure_optimizers(self) -> Any:
        """AdamW with decay on matrices only, and the rate of ``rate_at``."""
        trained = [parameter for parameter in self.prm.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim >= 2], "weight_decay": self.config.weight_decay},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.config.lr, fused=True)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, total, self.config))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _losses(self, batch: StepBatch, where: str) -> tuple[Tensor, Tensor]:
        """Losses (0 where nothing is supervised) and step scores, both (B, S) in float32."""
        logits_BS = self.prm(batch.ids_BT, batch.mask_BT, batch.ends_BS, batch.packing).float()
        losses_BS = nn.functional.binary_cross_entropy_with_logits(logits_BS, batch.labels_BS, reduction="none")
        losses_BS = torch.where(batch.weights_BS > 0, losses_BS, 0.0)
        if not bool(losses_BS.isfinite().all()):
            raise RunError(
                f"the loss is not finite in {where} (problems {', '.join(batch.problems[:8])}). "
                "Lower train.lr or train.clip_norm, or train in another precision."
            )
        return losses_BS, logits_BS.sigmoid()


def rate_at(step: int, total: int, config: TrainConfig) -> float:
    """The share of the peak learning rate at a step (0-based) of ``total``; in (0, 1], and never 0 while training."""
    warm = round(config.warmup * total)
    if step < warm:
        return (step + 1) / (warm + 1)
    left = 1.0 - (step - warm) / max(1, total - warm)
    if config.schedule == "cosine":
        return 0.5 * (1.0 - math.cos(math.pi * max(0.0, left)))
    return max(0.0, left) if config.schedule == "linear" else 1.0
