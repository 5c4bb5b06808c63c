"""The stage ``annotate``: corpora are gathered into one file, and annotators pass over it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prmkit.annotate import bind
from prmkit.annotate.annotation import Annotation, Annotator, Load
from prmkit.annotate.config import AnnotatorConfig
from prmkit.annotate.consensus import ConsensusConfig
from prmkit.annotate.problems import Gathered
from prmkit.annotate.result import AnnotationResult, Read
from prmkit.errors import PrmkitError
from prmkit.generate import GeneratorConfig
from prmkit.grade.config import GradingConfig
from prmkit.recipe.parts import DataConfig, ProblemsConfig, engines_of, first_prompt
from prmkit.recipe.stage import Resources, Stage, Work
from prmkit.recipe.watch import Watch, watched
from prmkit.row_files import local_rows
from prmkit.rows_io import HUB
from prmkit.run.activity import Activity, busy
from prmkit.run.folder import RunFolder
from prmkit.run.results import read_result, write_result
from prmkit.session import Engines
from prmkit.session.journal import Journal
from prmkit.sources.corpus import write_quarantine
from prmkit.sources.sample import SampleConfig
from prmkit.tree import Problem, StepTree
from prmkit.trees_io import write_trees


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
    grading: GradingConfig = Field(GradingConfig(), description="how solutions are judged")
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


def _prepare(recipe: AnnotateRecipe, watch: Watch | None) -> Work:
    problems = [problem for config in recipe.problems for problem in config.load()]
    annotation = annotation_of(recipe)
    gathered = gathered_of(recipe, problems)

    def work(folder: RunFolder) -> AnnotationResult:
        from prmkit.annotate.annotation import annotate

        together, record = folder.path / "passes" / "problems.jsonl", folder.path / "passes" / "read.json"
        if record.exists():
            read = read_result(record, Read)
        else:
            together.unlink(missing_ok=True)
            with busy("gathering the problems") as activity:
                write_trees(together, _counted(gathered, activity))
            write_quarantine(folder.quarantine, gathered.corpora)
            read = gathered.record()
            write_result(record, read)
        found = annotate(together, annotation, folder.path, watch=lambda what, total: watched(watch, what, total))
        prompt = first_prompt(recipe.generator, recipe.problems)
        return AnnotationResult(read=read, prompt=prompt, **dict(found))

    return work


def _counted(trees: Iterable[StepTree], activity: Activity) -> Iterator[StepTree]:
    """The trees, whose number the activity tells as they pass."""
    for number, tree in enumerate(trees, start=1):
        activity.figures["problems"] = f"{number:,}"
        yield tree


def _expected(recipe: AnnotateRecipe) -> dict[str, float]:
    """What a run will take, by name, from a pilot; nothing if the recipe wants none."""
    problems = [problem for config in recipe.problems for problem in config.load()]
    if not recipe.pilot:
        return {}
    from prmkit.annotate.plan import plan
    from prmkit.models.backbone import accelerator

    found = plan(gathered_of(recipe, problems), annotation_of(recipe), recipe.pilot)
    unit = "gpu_hours" if accelerator() == "cuda" else "cpu_hours"
    return {"problems": found.problems, "rollouts": found.rollouts, "tokens": found.tokens, unit: found.hours}


def gathered_of(recipe: AnnotateRecipe, problems: list[Problem]) -> Gathered:
    """The trees that a recipe annotates.

    Raises:
        InputError: a local corpus is not there.
    """
    for data in (*recipe.data, *recipe.answers):
        if not data.path.startswith(HUB):
            next(iter(local_rows(Path(data.path))), None)
    corpora, answers = ([data.corpus() for data in part] for part in (recipe.data, recipe.answers))
    return Gathered(problems, corpora, answers)


def annotation_of(recipe: AnnotateRecipe) -> Annotation:
    """What a recipe asks of its annotators. Models are loaded when their pass begins, one at a time.

    Raises:
        InputError: an unknown estimator or option, or a model that is not there.
    """
    from prmkit.models.tokenizer import load_tokenizer

    policies = (recipe.generator, *(each.generator for each in recipe.annotators if each.generator is not None))
    for name in dict.fromkeys(policy.name for policy in policies if policy.has_tokenizer):
        load_tokenizer(name)
    models = _OneModel(recipe.grading)
    annotators = [
        Annotator(
            name=each.name,
            estimate=bind(each.estimator, each.options),
            load=models.loader(each.generator or recipe.generator),
        )
        for each in recipe.annotators
    ]
    return Annotation(
        policy=models.loader(recipe.generator),
        solutions=recipe.solutions,
        annotators=annotators,
        consensus=recipe.consensus,
        sample=recipe.sample,
        seed=recipe.seed,
    )


class _OneModel:
    """Keeps the model that was used last: passes that share one load it once, and two never fill the memory."""

    def __init__(self, grading: GradingConfig) -> None:
        self._grading = grading
        self._loaded: dict[str, Engines] = {}

    def loader(self, policy: GeneratorConfig) -> Load:
        key = policy.model_dump_json()

        def load(journal: Journal, seed: int) -> Engines:
            if key not in self._loaded:
                self._loaded.clear()
                self._loaded[key] = engines_of(policy, seed, grading=self._grading)
            return replace(self._loaded[key], journal=journal, seed=seed)

        return load


def _inputs(recipe: AnnotateRecipe) -> Iterator[str | None]:
    yield from (config.path for config in recipe.problems)
    yield from (config.path for config in (*recipe.data, *recipe.answers))


def _cost(recipe: AnnotateRecipe, resources: Resources) -> str:
    if not resources.pilot:
        return "unknown; --pilot tries a few problems"
    try:
        cost = _expected(recipe)
    except PrmkitError as error:
        return f"unknown ({str(error).splitlines()[0]})"
    return ", ".join(f"{value:,.0f} {name}" if value >= 10 else f"{value:.2g} {name}" for name, value in cost.items())


STAGE = Stage(
    recipe=AnnotateRecipe,
    result=lambda recipe: AnnotationResult,
    prepare=_prepare,
    inputs=_inputs,
    cost=_cost,
    expected=_expected,
    prompts=lambda recipe: {"generator": first_prompt(recipe.generator, recipe.problems)},
)
