"""What a recipe may say about training."""

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from prmkit.packing.format import Weighting


class LoraConfig(BaseModel):
    """Low-rank adapters in place of training the backbone. The head is always trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(32, ge=1, description="rank of the adapters")
    alpha: float = Field(64.0, gt=0, description="an adapter's product is multiplied by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout before an adapter, while training")
    targets: tuple[str, ...] = Field(
        (),
        description="ends of the names of the linear maps and experts that get one, such as q_proj; none given: all "
        "linear maps but routers, and no experts",
    )
    quantize: Literal["none", "nf4"] = Field("none", description="nf4: QLoRA, the frozen weights in 4 bits")


class TrainConfig(BaseModel):
    """Optimisation of a PRM. Defaults suit a fresh scalar head on a pretrained backbone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(1, ge=1, description="passes over the training trees")
    packing: Literal["tree", "sequence", "none"] = Field(
        "tree",
        description="tree: paths of a tree share their common steps, and trees share a sequence; sequence: whole paths "
        "share one; none: each path is a padded row",
    )
    pack_tokens: PositiveInt | None = Field(
        None, description="tokens of a packed sequence; default: model.max_length. A longer path stands alone"
    )
    batch_size: int = Field(16, ge=1, description="sequences of one forward pass on one device")
    accumulate: int = Field(1, ge=1, description="batches of one optimiser step")

    loss: Literal["bce", "mse", "pqm"] = Field(
        "bce", description="cross-entropy, squared error of the probability, or the ranking of PQM"
    )
    pqm_margin: float = Field(4.0, ge=0, description="how far pqm sets wrong steps below right ones")
    hard_above: float | None = Field(
        None, ge=0, lt=1, description="labels above this become 1, others 0; none: labels stay as they are"
    )
    weighting: Weighting = Field(
        "once", description="a label counts once, or once for each of the labelled paths (rows) through its step"
    )
    source_weights: dict[str, float] = Field({}, description="weight of the labels of a source, such as human; else 1")
    class_balance: bool = Field(False, description="weigh labels so that right and wrong ones count the same in sum")

    lr: float = Field(1e-5, gt=0, description="peak learning rate of AdamW")
    head_lr: float | None = Field(None, gt=0, description="that of the head; default: lr")
    head_warmup: float = Field(
        0.0, ge=0, lt=1, description="share of the steps, the first ones, that train only the head"
    )
    weight_decay: float = Field(0.01, ge=0, description="decoupled decay of matrices; norms and biases have none")
    warmup: float = Field(0.05, ge=0, le=1, description="share of the steps with a rising rate")
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="rate after the warm-up")
    clip_norm: float = Field(1.0, gt=0, description="largest global gradient norm")
    lora: LoraConfig | None = Field(None, description="train adapters and the head; none: train everything")

    validation_share: float = Field(0.05, gt=0, lt=1, description="share of the problems held out of training")
    validations_per_epoch: int = Field(2, ge=1, description="evaluations of the held-out problems in one epoch")
    monitor: Literal["loss", "auroc", "brier", "ece", "f1"] = Field(
        "loss", description="held-out metric that chooses the kept weights and stops the training"
    )
    patience: int = Field(3, ge=1, description="validations without a better monitored metric before training stops")
    snapshots: bool = Field(
        False, description="also keep the weights of every validation, in snapshots/0, 1, ... as in history.csv"
    )
    save_every: PositiveInt = Field(500, description="optimiser steps between the states that --resume goes on from")
    loggers: tuple[Literal["csv", "tensorboard", "wandb"], ...] = Field(
        (), description="where the course of each step goes, besides history.csv"
    )
    log_every: PositiveInt = Field(10, description="optimiser steps between two lines of the loggers")

    strategy: Literal["auto", "ddp", "fsdp2", "deepspeed"] = Field("auto", description="how devices share the work")
    tensor_parallel: PositiveInt = Field(1, description="devices that share each matrix, within a machine (fsdp2)")
    devices: PositiveInt | Literal["auto"] = Field("auto", description="devices of this machine")
    num_nodes: PositiveInt = Field(1, description="machines")
    precision: Literal["32-true", "bf16-mixed", "bf16-true"] = Field("32-true", description="arithmetic of a step")
    workers: NonNegativeInt | None = Field(
        None, description="processes that put batches together on each device; default: 2 on GPUs, none on a CPU"
    )
    gradient_checkpointing: bool = Field(False, description="recompute activations in the backward pass")
    compile: bool = Field(False, description="torch.compile each decoder layer")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.tensor_parallel > 1 and self.strategy != "fsdp2":
            raise ValueError("tensor_parallel needs strategy: fsdp2")
        if self.loss == "pqm" and self.packing != "tree" and self.weighting == "once":
            raise ValueError("loss: pqm compares the steps of a path, so it needs packing: tree or weighting: rows")
        if not all(0 < weight < math.inf for weight in self.source_weights.values()):
            raise ValueError("source_weights must be finite and above 0; leave a source out of the data instead")
        if self.lora is not None and self.strategy in ("fsdp2", "deepspeed"):
            raise ValueError("lora trains with strategy: auto or ddp; what is frozen fits, or use lora.quantize")
        return self
