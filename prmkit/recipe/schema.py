"""What the recipe of each verb may hold: the configs of the stages, put together. No stage knows of it."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from prmkit.annotate.config import AnnotatorConfig
from prmkit.annotate.consensus import ConsensusConfig
from prmkit.generate import GeneratorConfig
from prmkit.models.config import ModelConfig
from prmkit.packing.format import StepFormat
from prmkit.recipe.studies import StudyRecipe
from prmkit.score import ScorerConfig
from prmkit.search.options import StrategyConfig
from prmkit.session.budget import BudgetConfig
from prmkit.similarity.config import SimilarityBaseline, SimilarityConfig
from prmkit.similarity.response import Selection
from prmkit.sources.sample import SampleConfig
from prmkit.train.config import TrainConfig
from prmkit.world.config import PolicyConfig


class DataConfig(BaseModel):
    """A corpus: which one, where its file lies, and what is taken of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(description="a source by name, or my_package.module:source")
    path: str = Field(min_length=1, description="a local file or folder, or hub:org/name[:split]")
    options: dict[str, Any] = Field({}, description="what the source takes besides")
    limit: PositiveInt | None = Field(None, description="read only the first so many trees")
    max_bad: float = Field(0.01, ge=0, le=1, description="share of bad rows above which the corpus is refused")
    stop_at_first_error: bool = Field(False, description="leave out the steps that follow a wrong one")
    min_steps: int = Field(0, ge=0, description="leave out trees whose longest solution has fewer steps")


class TrainRecipe(BaseModel):
    """Train a PRM on labelled trees (``prmkit train``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["train"] = Field(description="the verb that runs this recipe")
    seed: int = Field(0, ge=0, lt=2**32, description="of every random choice of the run")
    data: DataConfig = Field(description="the labelled trees")
    model: ModelConfig = Field(description="the backbone, its head and its text format")
    train: TrainConfig = Field(TrainConfig(), description="the optimisation")


class ProblemsConfig(BaseModel):
    """A problem set, or a part of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    benchmark: str = Field(description="a benchmark by name, or my_package.module:loader")
    path: str | None = Field(None, description="a local file; without, the hub (or generated)")
    limit: PositiveInt | None = Field(None, description="the first so many problems")
    seed: int = Field(0, ge=0, description="of generated benchmarks")
    options: dict[str, Any] = Field({}, description="what the benchmark takes besides")


class AnnotateRecipe(BaseModel):
    """Label the steps of solutions, the policy's or a corpus's (``prmkit annotate``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["annotate"] = Field(description="the verb that runs this recipe")
    seed: int = Field(0, ge=0, lt=2**32, description="of every random choice of the run")
    problems: list[ProblemsConfig] = Field([], description="benchmarks to solve and annotate")
    data: list[DataConfig] = Field([], description="corpora whose problems and solutions are annotated anew")
    answers: list[DataConfig] = Field([], description="corpora that know the answers which those of data lack")
    generator: GeneratorConfig = Field(description="the policy")
    solutions: int = Field(4, ge=0, description="solutions that the policy writes for a problem that comes without any")
    annotators: list[AnnotatorConfig] = Field([AnnotatorConfig()], min_length=1, description="who labels the steps")
    consensus: ConsensusConfig | None = Field(None, description="keep the solutions on which the annotators agree")
    sample: SampleConfig | None = Field(None, description="keep a part of the labelled trees, drawn by problem")
    unsafe_local: bool = Field(False, description="run programs even where this machine offers no isolation for them")
    pilot: int = Field(8, ge=0, description="problems that --dry-run tries, to tell what the run will cost; 0: none")

    @model_validator(mode="after")
    def _makes_sense(self) -> "AnnotateRecipe":
        names = [annotator.name for annotator in self.annotators]
        if not (self.problems or self.data):
            raise ValueError("it names neither problems nor data")
        if len(set(names)) < len(names):
            raise ValueError(f"two annotators have one name, got {names}")
        if (len(names) > 1) != (self.consensus is not None):
            raise ValueError(f"a consensus needs several annotators, and they need one, got {len(names)}")
        return self


class SearchRecipe(BaseModel):
    """Search a benchmark with a policy and a PRM (``prmkit search``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["search"] = Field(description="the verb that runs this recipe")
    seed: int = Field(0, ge=0, lt=2**32, description="of every random choice of the run")
    problems: ProblemsConfig = Field(description="what to solve")
    generator: GeneratorConfig = Field(description="the policy")
    scorer: ScorerConfig | None = Field(None, description="the PRM, for strategies that use one")
    strategy: StrategyConfig | None = Field(None, description="how to search")
    compare: dict[str, StrategyConfig] = Field({}, description="in its place, strategies to run side by side, by name")
    budget: BudgetConfig = Field(BudgetConfig(), description="what may be spent on a problem")
    unsafe_local: bool = Field(False, description="run programs even where this machine offers no isolation for them")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.strategy is None) == (not self.compare):
            raise ValueError("give either strategy or compare")
        return self


class ReferenceConfig(BaseModel):
    """A causal LM, or for the targets prm_step and prm_solution a PRM, that only reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="hub id or local folder of a causal LM, or the checkpoint of a PRM")
    format: StepFormat = Field(StepFormat(), description="text around problem and steps; a PRM has its own")
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="parameter type")


class ResponsesConfig(BaseModel):
    """A set of responses: solutions of a run, or the rows of a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trees: str | None = Field(None, description="trees.jsonl of a search or an annotation")
    file: str | None = Field(None, description="JSON lines with prompt and response, or a list of steps")
    select: Selection = Field("finished", description="which solutions of a problem, of trees")
    problems: PositiveInt | None = Field(None, description="only the first so many problems, of trees")
    per_problem: PositiveInt | None = Field(None, description="only the first so many solutions of each, of trees")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.trees is None) == (self.file is None):
            raise ValueError("give trees or file, one of them")
        return self

    @property
    def path(self) -> str:
        """Where the responses are."""
        return self.trees or self.file or ""


class SimilarityRecipe(BaseModel):
    """Compare how a model processes sets of responses (``prmkit similarity``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["similarity"] = Field(description="the verb that runs this recipe")
    seed: int = Field(0, ge=0, lt=2**32, description="of every random choice of the run")
    reference: ReferenceConfig = Field(description="the model whose patterns are compared")
    sets: dict[str, ResponsesConfig] = Field({}, description="sets of responses by name; the verb takes NAME=FILE too")
    pattern: SimilarityConfig = Field(SimilarityConfig(), description="activation patterns")
    baselines: list[SimilarityBaseline] = Field([], description="other similarities of the same responses, beside it")
    draws: PositiveInt = Field(10_000, description="random selections of each permutation test")


class WorldRecipe(BaseModel):
    """Make the embedded world's policy and backbone (``prmkit world``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["world"] = Field(description="the verb that runs this recipe")
    seed: int = Field(1, ge=0, lt=2**32, description="of weights and text")
    policy: PolicyConfig | None = Field(None, description="models to be trained; none: the shipped ones")


RECIPES: dict[str, type[BaseModel]] = {
    "annotate": AnnotateRecipe,
    "search": SearchRecipe,
    "similarity": SimilarityRecipe,
    "study": StudyRecipe,
    "train": TrainRecipe,
    "world": WorldRecipe,
}
"""The recipe of each stage, by the value of its key ``stage``."""
