"""The scorer seam: a tree and some of its nodes go in, step scores come out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, Tag, model_validator

from prmkit.generate.config import CustomEngine, EngineConfig, TransformersEngine, VllmEngine, by_name
from prmkit.models.config import Adapter, Device, Memory, NamedModel
from prmkit.score.aggregate import Aggregation
from prmkit.score.config import PRM_ENGINES, PoolingEngine, PrmEngine, PrmEngines, ScoreBaseline
from prmkit.seam import Seam
from prmkit.tree import Reads, StepTree

if TYPE_CHECKING:
    from prmkit.score.reading import ReadingScorer

SCORERS = Seam(
    "scorer engine",
    {
        "transformers": "prmkit.score.transformers:load_scorer",
        "vllm": "prmkit.score.vllm:load_scorer",
        "server": "prmkit.score.server:load_scorer",
        "judge": "prmkit.score.judge:load_scorer",
        "ensemble": "prmkit.score.ensemble:load_scorer",
        **dict.fromkeys(get_args(ScoreBaseline), "prmkit.score.baselines:load_scorer"),
    },
)
"""Each takes a ScorerConfig and returns a Scorer and where the PRM's labels came from (see default_aggregation)."""


class PrmConfig(BaseModel):
    """A PRM and the engine that runs it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: str | None = Field(None, description="the PRM: a folder, of whoever trained it, or org/name[@revision]")
    adapter: Adapter | None = Field(None, description="whose layout it has; default: what its config says")
    engine: PrmEngine = Field(TransformersEngine(), description="what runs it")
    max_tokens: int = Field(16384, ge=1, description="tokens of one forward pass of a local engine, padding included")
    device: Device = None
    memory: Memory = None

    @model_validator(mode="after")
    def _has_what_the_engine_reads(self) -> "PrmConfig":
        reads = isinstance(self.engine, TransformersEngine | VllmEngine | PoolingEngine)
        if reads and self.checkpoint is None:
            raise ValueError(f"engine {self.engine.name} needs a checkpoint")
        if not reads and not isinstance(self.engine, CustomEngine) and (self.checkpoint or self.adapter):
            raise ValueError(f"engine {self.engine.name} reads no checkpoint")
        return self

    @property
    def named_model(self) -> NamedModel | None:
        """The PRM, if it has a folder; behind a server its weights are not read here."""
        name = self.checkpoint
        if name is None or (isinstance(self.engine, CustomEngine) and not Path(name, "config.json").is_file()):
            return None
        return NamedModel("PRM", name, weights=not isinstance(self.engine, PoolingEngine), key="checkpoint")


class EnsembleEngine(EngineConfig):
    """Several PRMs that must come to one score."""

    name: Literal["ensemble"] = Field(description="the engine")
    members: list[PrmConfig] = Field(min_length=2, description="the PRMs")
    consensus: Literal["mean", "min", "majority"] = Field(
        "mean", description="mean or least score, or the share of PRMs that score the step at the threshold or above"
    )
    threshold: float = Field(0.5, ge=0, le=1, description="of majority")


ScorerEngine = Annotated[PrmEngines | Annotated[EnsembleEngine, Tag("ensemble")], by_name(*PRM_ENGINES, "ensemble")]


class ScorerConfig(PrmConfig):
    """A PRM, or several, and how step scores become the score of a solution."""

    engine: ScorerEngine = Field(TransformersEngine(), description="what runs it")  # type: ignore[assignment]
    aggregation: Aggregation | None = Field(None, description="default: by the labels that the PRM was trained on")
    reads: Reads = Field("both", description="steps that the PRM reads and scores: of the thought, the answer, or both")


def load_scorer(config: PrmConfig) -> "tuple[ReadingScorer, str]":
    """The PRM of a recipe, running, and where its labels came from.

    It reads the steps that the recipe says, and a path beyond its context by windows.

    Raises:
        InputError: the checkpoint, the engine or its options are wrong.
        RunError: the engine did not start.
    """
    from prmkit.score.reading import ReadingScorer

    scorer, label_source = load_engine(config)
    reads = config.reads if isinstance(config, ScorerConfig) else "both"
    return ReadingScorer(scorer, reads), label_source


def load_engine(config: PrmConfig) -> "tuple[Scorer, str]":
    """The same without that: the engine alone, which reads every step, and refuses a path beyond its context.

    Raises:
        InputError: the checkpoint, the engine or its options are wrong.
        RunError: the engine did not start.
    """
    if getattr(config.engine, "workers", "here") == "ray":
        from prmkit.score.replicas import replicated_scorer

        return replicated_scorer(config)
    return cast("tuple[Scorer, str]", SCORERS.load(config.engine.name)(config))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Step scores in [0, 1], one for each node that was asked for, and what they cost.

    ``tokens`` counts those computed, ``cached_tokens`` those read from a cache. ``flops`` is NaN where the engine
    cannot know. ``windowed`` counts the steps that were read without the beginning of their path, which is longer than
    the PRM's context.
    """

    values: tuple[float, ...]
    cached_tokens: int
    tokens: int
    flops: float
    windowed: int = 0


class Scorer(Protocol):
    """Scores steps. The engine batches requests over problems; callers send one at a time and await it."""

    def fits(self, tree: StepTree, node: int) -> bool:
        """Whether the path to ``node`` fits the context of the PRM."""
        ...

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        """The probability that each of ``nodes`` is a correct step, given the steps before it.

        Raises:
            InputError: a path is longer than the context of the PRM.
            RunError: the PRM gave a score that is no probability.
        """
        ...
