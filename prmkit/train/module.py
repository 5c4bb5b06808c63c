"""Training of a PRM as a LightningModule: losses, metrics, optimiser, sharding.

Shapes: B rows, S steps.
"""

import math
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor

from prmkit.errors import RunError
from prmkit.models.flops import ForwardFlops, forward_flops
from prmkit.models.prm import PRM
from prmkit.packing.batch import StepBatch
from prmkit.run.seeds import derived_seed
from prmkit.train.config import TrainConfig
from prmkit.train.flops import training_flops
from prmkit.train.losses import step_losses
from prmkit.train.metrics import RunningMean, StepMetrics
from prmkit.train.shard import clip_gradients, compile_layers, mesh_of, shard
from prmkit.train.strategies import clips_by_itself, data_parallel


class PRMModule(pl.LightningModule):
    """A loss at step ends (see ``step_losses``), minimised by AdamW.

    The loss of an optimiser step is the weighted mean over the labels of all its batches on all ranks. Held-out metrics
    are those of StepMetrics. Dropout is drawn from the seed and the place in the training alone, so that a training
    that was cut off goes on as if it had not been.

    ``tokens`` and ``flops`` count what was trained on, over all ranks once a validation has come.

    Source: the paper, equation 2 and appendix B.2.

    Args:
        prm: the model, or for a sharded training its skeleton.
        config: the optimisation.
        seed: of the dropout.

    Raises:
        RunError: while training, if a loss is not finite. ``bad_batch`` then holds its batch.
    """

    def __init__(self, prm: PRM, config: TrainConfig, *, seed: int = 0) -> None:
        super().__init__()
        # Pretrained models come in evaluation mode, in which transformers recomputes no activations.
        self.prm = prm.train()
        self.config = config
        self.seed = seed
        self.tokens, self.flops = 0, 0.0
        self.bad_batch: StepBatch | None = None
        self._counted = [0.0, 0.0]
        self._cost = ForwardFlops(per_token=math.nan, per_pair=math.nan)
        self._head_steps = 0
        # In plain attributes of no nn.Module, since bf16-true would round the sums too.
        self._means = {name: RunningMean() for name in ("train_loss", "step_loss")}
        self._held_out = (StepMetrics(),)
        self.strict_loading = config.lora is None
        if config.gradient_checkpointing:
            prm.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    def setup(self, stage: str) -> None:
        """Count the cost of a token while the matrices are whole."""
        self._cost = forward_flops(self.prm.model, self.prm.score)

    def configure_model(self) -> None:
        """Shard and load the model, where the strategy asks for it."""
        strategy = self.trainer.strategy
        if isinstance(strategy, ModelParallelStrategy):
            if self.prm.source is not None:
                shard(self.prm, strategy.device_mesh, self.config, device=strategy.root_device)
                self.prm.source = None
        elif self.config.compile:
            compile_layers(self.prm)

    def on_fit_start(self) -> None:
        """Put the metrics where the model is."""
        for metric in (*self._means.values(), *self._held_out):
            if self.device.type == "mps":
                metric.set_dtype(torch.float32)  # Apple's devices know no float64
            metric.to(self.device)

    def on_train_batch_start(self, batch: StepBatch, batch_idx: int) -> None:
        """Seed the dropout, and tell the backbone whether it learns."""
        _, part = data_parallel(self.trainer)
        # 56 bits of it: what they always were, so that a training gives what it gave.
        torch.manual_seed(derived_seed(self.seed, f"{self.current_epoch}:{batch_idx}:{part}") >> 7)
        self.prm.read_only = self.trainer.global_step < self._head_steps

    def training_step(self, batch: StepBatch, batch_idx: int) -> Tensor:
        """The batch's share of the mean loss of its optimiser step."""
        losses_BS, _ = self._losses(batch, f"batch {batch_idx} of epoch {self.current_epoch}")
        total = (losses_BS * batch.weights_BS).sum()
        self._count(batch)
        for metric in self._means.values():
            metric.update(losses_BS.detach(), batch.weights_BS)
        # Lightning divides by the accumulation and the strategy by the parts; the step's label weight is exact.
        scale = self.trainer.accumulate_grad_batches * data_parallel(self.trainer)[0]
        return total * (scale / max(batch.total_weight, 1e-8))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Log the course of the training, now and then."""
        if self.trainer.loggers and (self.trainer.global_step + 1) % self.config.log_every == 0:
            self._add_up()
            values = {"train_loss": self._means["step_loss"].compute(), "lr": optimizer.param_groups[0]["lr"]}
            waited = getattr(getattr(self.trainer, "datamodule", None), "waited", 0.0)
            logged = values | {"tokens": float(self.tokens), "flops": self.flops, "data_seconds": waited}
            for logger in self.trainer.loggers:
                logger.log_metrics(
                    {f"train/{name}": float(v) for name, v in logged.items()}, self.trainer.global_step + 1
                )
            self._means["step_loss"].reset()

    def validation_step(self, batch: StepBatch, batch_idx: int) -> None:
        """Add the batch to the held-out metrics."""
        losses_BS, logits_BS = self._losses(batch, f"held-out batch {batch_idx}")
        self._held_out[0].update(losses_BS, logits_BS, batch)

    def on_validation_epoch_end(self) -> None:
        """Publish the held-out metrics of all ranks, and add up what was trained on."""
        self._add_up()
        (held_out,) = self._held_out
        values = held_out.compute() | {"train_loss": self._means["train_loss"].compute()}
        self.log_dict(values, logger=False)
        for logger in self.trainer.loggers:
            logger.log_metrics({f"held_out/{name}": float(v) for name, v in values.items()}, self.trainer.global_step)
        held_out.reset()
        self._means["train_loss"].reset()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning does not keep: counts and running means. Frozen weights are left out."""
        self._add_up()
        checkpoint["counted"] = [self.tokens, self.flops]
        for name, metric in self._means.items():
            checkpoint[name] = self._summed(metric.sums.clone()).tolist()
        if self.config.lora is not None:
            kept = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
            checkpoint["state_dict"] = {k: v for k, v in checkpoint["state_dict"].items() if k in kept}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up again: counts on every rank, running means on the first, so that their sum is what it was."""
        self.tokens, self.flops = checkpoint["counted"]
        for name, metric in self._means.items():
            if self.trainer.is_global_zero:
                total, weight = torch.tensor(checkpoint[name], dtype=metric.sums.dtype)
                metric.update(total, torch.ones(()))
                metric.sums.copy_(torch.stack([total, weight]))

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        """Clip the global gradient norm."""
        # Lightning's own clipping refuses fused optimisers in mixed precision: a caution about float16's loss scale.
        if self._trainer is None or not clips_by_itself(self.trainer.strategy):
            clip_gradients(self.prm.parameters(), self.config.clip_norm)

    def configure_optimizers(self) -> Any:
        """AdamW with decay on matrices only, and the rate of ``rate_at``; the head has a rate of its own."""
        total = int(self.trainer.estimated_stepping_batches)
        self._head_steps = round(self.config.head_warmup * total)
        groups = parameter_groups(self.prm, self.config)
        rates = [_rate(group.pop("part"), self._head_steps, total, self.config) for group in groups]
        optimizer = torch.optim.AdamW(groups, lr=self.config.lr, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rates)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _losses(self, batch: StepBatch, where: str) -> tuple[Tensor, Tensor]:
        """Losses (0 where nothing is supervised) and logits, both (B, S) in float32."""
        logits_BS = self.prm(batch.ids_BT, batch.mask_BT, batch.ends_BS, batch.packing).float()
        losses_BS = step_losses(logits_BS, batch, self.config)
        if not bool(losses_BS.isfinite().all()):
            self.bad_batch = batch
            raise RunError(
                f"the loss is not finite in {where} (problems {', '.join(batch.problems[:8])}). "
                "Lower train.lr or train.clip_norm, or train in another precision."
            )
        return losses_BS, logits_BS

    def _count(self, batch: StepBatch) -> None:
        if batch.tokens:  # a filler is nobody's training
            backbone: Literal["trained", "adapted", "read"] = "trained" if self.config.lora is None else "adapted"
            used = training_flops(batch, self._cost, backbone="read" if self.prm.read_only else backbone)
            self._counted = [self._counted[0] + batch.tokens, self._counted[1] + used]

    def _add_up(self) -> None:
        """Add what the ranks have counted since the last time."""
        parts = data_parallel(self.trainer)[0]
        copies = self.trainer.world_size // parts  # ranks that share a matrix count the same tokens
        tokens, flops = (self._summed(torch.tensor(self._counted, dtype=torch.float64)) / copies).tolist()
        self.tokens, self.flops = self.tokens + int(tokens), self.flops + flops
        self._counted = [0.0, 0.0]

    def _summed(self, values: Tensor) -> Tensor:
        return self.trainer.strategy.reduce(values.to(self.device), reduce_op="sum")


def parameter_groups(prm: PRM, config: TrainConfig) -> list[dict[str, Any]]:
    """The trained parameters of head and backbone, matrices and others, each mesh on its own, with rate and decay."""
    groups: dict[Any, dict[str, Any]] = {}
    for name, parameter in prm.named_parameters():
        if not parameter.requires_grad:
            continue
        part, decays = "head" if name.startswith("score.") else "backbone", parameter.ndim >= 2
        group = groups.setdefault(
            (part, not decays, mesh_of(parameter)),
            {
                "params": [],
                "part": part,
                "lr": config.head_lr or config.lr if part == "head" else config.lr,
                "weight_decay": config.weight_decay if decays else 0.0,
            },
        )
        group["params"].append(parameter)
    return sorted(groups.values(), key=lambda group: group["part"])


def _rate(part: str, head_steps: int, total: int, config: TrainConfig) -> Any:
    """The share of its peak rate that a part has at a step: the head falls to the backbone's start at full rate."""

    def at(step: int) -> float:
        if step < head_steps:
            return 1.0 if part == "head" else 0.0
        return rate_at(step - head_steps, total - head_steps, config)

    return at


def rate_at(step: int, total: int, config: TrainConfig) -> float:
    """The share of the peak learning rate at a step (0-based) of ``total``; in (0, 1], and never 0 while training."""
    warm = round(config.warmup * total)
    if step < warm:
        return (step + 1) / (warm + 1)
    left = 1.0 - (step - warm) / max(1, total - warm)
    if config.schedule == "cosine":
        return 0.5 * (1.0 - math.cos(math.pi * max(0.0, left)))
    return max(0.0, left) if config.schedule == "linear" else 1.0
