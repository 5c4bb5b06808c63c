"""The stage ``train``: labelled trees to a PRM."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from prmkit.errors import InputError, PrmkitError
from prmkit.models.config import ModelConfig
from prmkit.recipe.parts import DataConfig
from prmkit.recipe.stage import Resources, Stage, Work
from prmkit.recipe.watch import Watch
from prmkit.run.folder import RunFolder
from prmkit.run.results import read_result
from prmkit.sources.corpus import write_quarantine
from prmkit.train.config import TrainConfig
from prmkit.train.result import TrainingResult

if TYPE_CHECKING:
    from prmkit.prepare.files import Prepared
    from prmkit.prepare.prepared import PreparedRows


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
    from prmkit.models.backbone import load_config, stored_folder
    from prmkit.prepare.content import refuse_missing
    from prmkit.train.fit import prepared_training_rows, train_prm

    refuse_missing(recipe.data.path)
    load_config(recipe.model.name)  # what cannot be trained is refused before a corpus is tokenised
    stored_folder(recipe.model.name)
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


def prepare_rows(recipe: TrainRecipe) -> "PreparedRows":
    """The token rows of a recipe's corpus, which a training of it then finds.

    Raises:
        InputError: the corpus, its tokenizer or the cache does not allow it.
    """
    from prmkit.prepare.prepared import prepared_rows
    from prmkit.train.encoding import encoder_of, shape_of

    return prepared_rows(
        recipe.data.corpus(), encoder_of(recipe.model), shape_of(recipe.train, recipe.model.max_length)
    )


def find_rows(recipe: TrainRecipe) -> "Prepared | None":
    """What is known of the rows, if they are prepared; nothing is fetched or made."""
    from prmkit.models.names import is_here

    if not is_here(recipe.model.name):
        return None
    from prmkit.prepare.prepared import find_prepared
    from prmkit.train.encoding import encoder_of, shape_of

    shape = shape_of(recipe.train, recipe.model.max_length)
    try:
        return find_prepared(recipe.data.corpus(), encoder_of(recipe.model), shape)
    except InputError:  # of what is not here, or is not right, a plan can do without
        return None


def tokens_of(recipe: TrainRecipe, found: "Prepared") -> int:
    """Tokens of the whole training, about: those of the held-out problems are not trained on."""
    return round(found.tokens * (1 - recipe.train.validation_share) * recipe.train.epochs)


def _cost(recipe: TrainRecipe, resources: Resources) -> str:
    epochs = f"{recipe.train.epochs} epochs" if recipe.train.epochs > 1 else "1 epoch"
    found = find_rows(recipe)
    if found is not None:
        epochs += f" of {found.tokens:,} tokens in {found.counts.rows:,} rows, prepared"
    if resources.machine is None:
        return f"{epochs}; --machine H100 tells memory and time of a step"
    from prmkit.train.estimate import estimate

    tokens = None if found is None else tokens_of(recipe, found)
    try:
        plan = estimate(recipe.model, recipe.train, resources.machine, mfu=0.45, tokens=tokens)
    except PrmkitError as error:
        return f"{epochs}; unknown ({error})"
    fits = "" if plan["fits"] else ", does not fit"
    gib, seconds = plan["gib"], plan["step"]["seconds"]
    hours = "" if plan["hours"] is None else f", {plan['hours']:.1f} h in all"
    memory = f"{gib['total']:.0f} of {gib['device']:.0f} GiB{fits}"
    return f"{epochs}; {plan['machine']}: {memory}, {seconds:.1f} s a step{hours}"


STAGE = Stage(recipe=TrainRecipe, result=lambda recipe: TrainingResult, prepare=_prepare, inputs=_inputs, cost=_cost)
