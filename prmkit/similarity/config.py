"""What a recipe may say about activation patterns. No torch, so that recipes bind in milliseconds."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from prmkit.similarity.presets import PRESETS, PresetName

Parameters = Literal["linear", "attention", "mlp", "wang2025-code", "adapter", "all"]
PatternKind = Literal["weight_gradient", "gradient", "signed_gradient"]
Normalisation = Literal["whole", "layer"]
SimilarityBaseline = Literal["hidden", "gradient", "signed_gradient", "ngram"]
Engine = Literal["auto", "loop", "hooks", "layersync", "mean", "sketch"]


class SimilarityConfig(BaseModel):
    """Which scalar of the reference model is differentiated, by which weights, by which engine.

    A preset sets what the recipe leaves unsaid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: PresetName | None = Field(None, description="the choices of a paper; what is said beside it wins")
    target: str = Field(
        "max_logit",
        description="F: max_logit (the largest next-token logit after the last content token, Wang et al. 2025), "
        "log_likelihood, logit_sum, prm_step, prm_solution, or my_package.module:function",
    )
    parameters: Parameters = Field(
        "linear",
        description="weight matrices of the decoder layers, those of attention, the others, those no longer than "
        "15,000 on a side, those of a LoRA adapter (elsewhere adapters are merged), or every parameter",
    )
    layers: tuple[int, int] | Literal["deep"] | None = Field(
        None, description="decoder layers start to stop - 1; deep: half the depth to all but two; None: every layer"
    )
    pattern: PatternKind = Field("weight_gradient", description="|theta * g|; baselines are |g| and g")
    normalise: Normalisation = Field(
        "whole", description="one cosine over all layers, or the mean of the cosines of the layers"
    )
    engine: Engine = Field("auto", description="how the patterns are compared; all but the sketch are exact")
    memory_gib: float = Field(
        2.0,
        gt=0.0,
        allow_inf_nan=False,
        description="memory for patterns, fp32; what does not fit takes more passes or is tiled",
    )
    batch_tokens: PositiveInt = Field(2048, description="tokens of one forward pass, padding included")
    sketch_width: PositiveInt = Field(65_536, description="values kept of each pattern by the sketch")
    shard: Literal["layer", "rows"] = Field(
        "layer", description="what the processes of torchrun divide (of a sketch: the responses)"
    )
    offload: bool = Field(
        False, description="layersync: keep weights on the CPU and boundary states on disk, one layer on the device"
    )

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("preset") in PRESETS:
            return {**PRESETS[given["preset"]].values, **given}
        return given

    @model_validator(mode="after")
    def _layers_in_order(self) -> Self:
        if isinstance(self.layers, tuple) and not 0 <= self.layers[0] < self.layers[1]:
            raise ValueError(f"layers: got {self.layers}; expected 0 <= start < stop")
        return self
