"""Which engine scores steps and what it is told. No torch, so that recipes bind in milliseconds."""

from typing import Annotated, Literal

from pydantic import Field, Tag

from prmkit.generate import GeneratorConfig
from prmkit.generate.config import CustomEngine, EngineConfig, ServerEngine, TransformersEngine, VllmEngine, by_name

ScoreBaseline = Literal["random", "shortest", "longest"]
Verdict = Literal["share", "probability"]


class PoolingEngine(ServerEngine):
    """A PRM behind HTTP: ``vllm serve FOLDER --runner pooling``. ``checkpoint`` names its tokenizer and text format."""

    name: Literal["server"] = Field(description="the engine")


class JudgeEngine(EngineConfig):
    """A language model that is asked whether a step is right."""

    name: Literal["judge"] = Field(description="the engine")
    generator: GeneratorConfig = Field(description="the judge; its sampling is how it answers")
    verdicts: int = Field(1, ge=1, description="how often it is asked about a step")
    verdict: Verdict = Field(
        "share", description="the score: the share of yes, or the mean probability of yes where it says yes or no"
    )
    seed: int = Field(0, ge=0, description="of its sampling")


class BaselineEngine(EngineConfig):
    """What a PRM has to beat: a draw by lot, or a preference for short or long solutions."""

    name: ScoreBaseline = Field(description="the baseline")
    seed: int = Field(0, ge=0, description="of the lot")


PRM_ENGINES = ("transformers", "vllm", "server", "judge", "random", "shortest", "longest")

PrmEngines = (
    Annotated[TransformersEngine, Tag("transformers")]
    | Annotated[VllmEngine, Tag("vllm")]
    | Annotated[PoolingEngine, Tag("server")]
    | Annotated[JudgeEngine, Tag("judge")]
    | Annotated[BaselineEngine, Tag("random")]
    | Annotated[BaselineEngine, Tag("shortest")]
    | Annotated[BaselineEngine, Tag("longest")]
    | Annotated[CustomEngine, Tag("custom")]
)

PrmEngine = Annotated[PrmEngines, by_name(*PRM_ENGINES)]
