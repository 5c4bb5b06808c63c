"""The stage ``train``: labelled trees to a PRM."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prmkit.errors import PrmkitError
from prmkit.models.config import ModelConfig
from prmkit.recipe.parts import DataConfig
from prmkit.recipe.stage import Resources, Stage, Work
from prmkit.recipe.watch import Watch
from prmkit.run.folder import RunFolder
from prmkit.run.results import read_result
from prmkit.sources import write_quarantine
from prmkit.train.config import TrainConfig
from prmkit.train.result import TrainingResult


class TrainRecipe(BaseModel):
    """Train a PRM on labelled trees (``prmkit train``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["train"] = Field(description="the verb that runs this recipe")
    seed: int = Field(0, ge=0, lt=2**32, description="of every random choice of the run")
    data: DataConfig = Field(description="the labelled trees")
    model: ModelConfig = Field(description="the backbone, its head and its text format")
    train: TrainConfig = Field(TrainConfig(), description="the optimisation")


def _prepare(recipe: TrainRecipe, watch: Watch | None) -> Work:
    """Bad rows of the corpus go to quarantine.jsonl. A run that has its checkpoint is done."""
    from prmkit.train.fit import prepared_training_rows, train_prm

    corpus = recipe.data.corpus()
    rows = prepared_training_rows(corpus, recipe.model, recipe.train, seed=recipe.seed)

    def work(folder: RunFolder) -> TrainingResult:
        if folder.checkpoint.exists():
            return read_result(folder.metrics_file, TrainingResult)
        if not folder.follower:
            write_quarantine(folder.quarantine, [corpus])
        trained = train_prm(rows, recipe.model, folder.path, progress=watch is not None)
        return TrainingResult(**trained.metrics, corpus=corpus.record())

    return work


def _inputs(recipe: TrainRecipe) -> Iterator[str]:
    yield recipe.data.path


def _cost(recipe: TrainRecipe, resources: Resources) -> str:
    epochs = f"{recipe.train.epochs} epochs" if recipe.train.epochs > 1 else "1 epoch"
    if resources.machine is None:
        return f"{epochs}; --machine H100 tells memory and time of a step"
    from prmkit.train.estimate import estimate

    try:
        plan = estimate(recipe.model, recipe.train, resources.machine, mfu=0.45, tokens=None)
    except PrmkitError as error:
        return f"{epochs}; unknown ({error})"
    fits = "" if plan["fits"] else ", does not fit"
    gib, seconds = plan["gib"], plan["step"]["seconds"]
    return f"{epochs}; {plan['machine']}: {gib['total']:.0f} of {gib['device']:.0f} GiB{fits}, {seconds:.1f} s a step"


STAGE = Stage(recipe=TrainRecipe, result=lambda recipe: TrainingResult, prepare=_prepare, inputs=_inputs, cost=_cost)
