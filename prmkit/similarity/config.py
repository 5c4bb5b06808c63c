"""What a recipe may say about activation patterns. No torch, so that recipes bind in milliseconds."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SimilarityConfig(BaseModel):
    """Which scalar of the reference model is differentiated, by which weights, within how much memory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Literal["max_logit", "log_likelihood"] = Field(
        "max_logit",
        description="F: the largest next-token logit after the last content token (Wang et al. 2025), or the "
        "log-likelihood of the response tokens",
    )
    parameters: Literal["linear", "attention", "mlp", "all"] = Field(
        "linear",
        description="weight matrices of the decoder layers, those of attention, the others, or every parameter",
    )
    layers: tuple[int, int] | None = Field(None, description="decoder layers start to stop - 1; None takes every layer")
    memory_gib: float = Field(
        2.0,
        gt=0.0,
        description="memory for the patterns of all responses, fp32; layers that do not fit take more passes",
    )

    @model_validator(mode="after")
    def _layers_in_order(self) -> Self:
        if self.layers is not None and not 0 <= self.layers[0] < self.layers[1]:
            raise ValueError(f"layers: got {self.layers}; expected 0 <= start < stop")
        return self
