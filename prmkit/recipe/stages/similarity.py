"""The stage ``similarity``: how a model processes sets of responses."""

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from prmkit.errors import InputError
from prmkit.evaluate.evaluation import EvaluationResult
from prmkit.models.config import NamedModel
from prmkit.packing.format import StepFormat
from prmkit.recipe.stage import Resources, Stage, Work
from prmkit.recipe.watch import Watch, watched
from prmkit.run.folder import RunFolder
from prmkit.run.results import read_result
from prmkit.similarity.config import SimilarityBaseline, SimilarityConfig
from prmkit.similarity.response import Response, Selection, read_responses, responses_of
from prmkit.similarity.result import SimilarityResult
from prmkit.tree import StepTree
from prmkit.trees_io import read_trees

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from prmkit.models.prm import PRM
    from prmkit.packing.encode import StepEncoder


class ReferenceConfig(BaseModel):
    """A causal LM, or for the targets prm_step and prm_solution a PRM, that only reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="folder or org/name[@revision] of a causal LM, or of a PRM")
    format: StepFormat = Field(StepFormat(), description="text around problem and steps; a PRM has its own")
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="parameter type")

    @property
    def named_model(self) -> NamedModel:
        """The reference."""
        return NamedModel("reference model", self.name)


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


def _prepare(recipe: SimilarityRecipe, watch: Watch | None) -> Work:
    """The Gram, from which every score follows, is kept in gram/; its parts, until it is whole, in parts/."""
    if not recipe.sets:
        raise InputError("no set of responses", where="sets", cure="Give NAME=FILE or NAME=RUN, or sets in the recipe.")
    trees = {
        name: list(itertools.islice(read_trees(Path(config.trees)), config.problems))
        for name, config in recipe.sets.items()
        if config.trees is not None
    }

    from prmkit.similarity.comparison import run_similarity, sets_that_fit

    reference = recipe.reference
    reads_prm = recipe.pattern.target in ("prm_step", "prm_solution")
    model, encoder = _prm(reference.name) if reads_prm else _causal_lm(reference, recipe.pattern.offload)
    sets = {
        name: _responses(config, trees.get(name, []), encoder, last_end=reads_prm)
        for name, config in recipe.sets.items()
    }
    sets, too_long = sets_that_fit(model, sets)

    def work(folder: RunFolder) -> SimilarityResult | None:
        return run_similarity(
            model,
            sets,
            recipe.pattern,
            folder.path,
            baselines=recipe.baselines,
            draws=recipe.draws,
            seed=recipe.seed,
            progress=functools.partial(watched, watch, "similarity"),
            too_long=too_long,
        )

    return work


def _causal_lm(reference: ReferenceConfig, offload: bool) -> tuple["PreTrainedModel", "StepEncoder"]:
    import torch

    from prmkit.models.backbone import load_causal_lm
    from prmkit.packing.encode import StepEncoder

    device = "cpu" if offload else None
    model, tokenizer = load_causal_lm(reference.name, getattr(torch, reference.dtype), device=device)
    return model, StepEncoder(tokenizer, reference.format)


def _prm(checkpoint: str) -> tuple["PRM", "StepEncoder"]:
    from prmkit.models.backbone import accelerator
    from prmkit.models.checkpoint import load_prm

    loaded = load_prm(checkpoint, device=accelerator())
    return loaded.prm, loaded.encoder


def _responses(
    config: ResponsesConfig, trees: list[StepTree], encoder: "StepEncoder", *, last_end: bool
) -> list[Response]:
    """Verdicts come from the evaluation of the run, where there is one."""
    if config.file is not None:
        return read_responses(Path(config.file), encoder, last_end=last_end)
    evaluation = RunFolder(Path(config.path).parent).evaluation
    verdicts = read_result(evaluation, EvaluationResult).correct if evaluation.is_file() else None
    return list(
        responses_of(
            trees, encoder, config.select, per_problem=config.per_problem, last_end=last_end, verdicts=verdicts
        )
    )


def _inputs(recipe: SimilarityRecipe) -> Iterator[str]:
    for config in recipe.sets.values():
        yield config.path


def _cost(recipe: SimilarityRecipe, resources: Resources) -> str:
    return f"a forward and backward pass for each response of {len(recipe.sets)} sets"


STAGE = Stage(
    recipe=SimilarityRecipe, result=lambda recipe: SimilarityResult, prepare=_prepare, inputs=_inputs, cost=_cost
)
