"""What a recipe may say about the embedded world's models. No torch, so that recipes bind in milliseconds."""

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from prmkit.benchmarks.synthetic_world import Slips


class PolicyConfig(BaseModel):
    """Size and training of the embedded models."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden_size: int = Field(96, gt=0, multiple_of=8, description="width; four attention heads share it")
    layers: PositiveInt = Field(3, description="decoder layers")
    # With the usual 0.02 a model this narrow starts four times too quiet, and learns four times slower.
    initializer_range: float = Field(0.08, gt=0, description="standard deviation of the first weights")
    batch_size: PositiveInt = Field(64, description="solutions of one optimiser step")
    lr: float = Field(4e-3, gt=0, description="peak learning rate")
    policy_steps: PositiveInt = Field(1300, description="optimiser steps on text with few corrections")
    backbone_steps: PositiveInt = Field(1300, description="further steps on text with many corrections")
    policy_slips: Slips = Field(Slips(), description="mistakes in the policy's text")
    backbone_slips: Slips = Field(Slips(corrected=0.6), description="mistakes in the backbone's further text")
