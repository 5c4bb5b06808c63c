"""What a recipe may say about training."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from prmkit.models.config import Weighting


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
    weighting: Weighting = Field(
        "once", description="a label counts once, or once for each of the labelled paths (rows) through its step"
    )
    batch_size: int = Field(16, ge=1, description="sequences of one forward pass on one device")
    accumulate: int = Field(1, ge=1, description="batches of one optimiser step")
    lr: float = Field(1e-5, gt=0, description="peak learning rate of AdamW")
    weight_decay: float = Field(0.01, ge=0, description="decoupled decay of matrices; norms and biases have none")
    warmup: float = Field(0.05, ge=0, le=1, description="share of the steps with a rising rate")
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="rate after the warm-up")
    clip_norm: float = Field(1.0, gt=0, description="largest global gradient norm")
    validation_share: float = Field(0.05, gt=0, lt=1, description="share of the problems held out of training")
    validations_per_epoch: int = Field(2, ge=1, description="evaluations of the held-out problems in one epoch")
    patience: int = Field(3, ge=1, description="validations without a better loss before training stops")
    strategy: Literal["auto", "ddp", "fsdp2"] = Field("auto", description="how devices share the work")
    devices: PositiveInt | Literal["auto"] = Field("auto", description="devices of this machine")
    num_nodes: PositiveInt = Field(1, description="machines")
    precision: Literal["32-true", "bf16-mixed", "bf16-true"] = Field("32-true", description="arithmetic of a step")
    gradient_checkpointing: bool = Field(False, description="recompute activations in the backward pass")
