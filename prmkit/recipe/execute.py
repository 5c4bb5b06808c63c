"""From a recipe to a run: reads what the recipe names, builds the engines, hands them to the stage.

A run has two halves. ``prepare`` reads every input, so that bad ones are refused while the run folder, and whatever an
earlier run left in it, is still untouched. What it returns then works in the folder.
"""

import functools
import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.generate import GeneratorConfig, load_generator
from prmkit.grade import grader_for
from prmkit.grade.config import GradingConfig
from prmkit.recipe.annotating import annotate_work, corpus_of
from prmkit.recipe.annotating import expected_cost as pilot_cost
from prmkit.recipe.schema import (
    AnnotateRecipe,
    ProblemsConfig,
    ReferenceConfig,
    ResponsesConfig,
    SearchRecipe,
    SimilarityRecipe,
    TrainRecipe,
    WorldRecipe,
)
from prmkit.recipe.watch import Watch, watched
from prmkit.rows_io import HUB
from prmkit.run.folder import RunFolder
from prmkit.score import load_scorer
from prmkit.score.aggregate import default_aggregation
from prmkit.session import Engines
from prmkit.similarity.response import Response, read_responses, responses_of
from prmkit.tree import Problem, StepTree
from prmkit.trees_io import append_lines, read_trees
from prmkit.world import make_world

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from prmkit.models.prm import PRM
    from prmkit.packing.encode import StepEncoder

Work = Callable[[RunFolder], dict[str, Any]]
"""Runs a prepared recipe in a folder, writes metrics.json there, and returns the metrics."""


def prepare(recipe: BaseModel, watch: Watch | None = None) -> Work:
    """Read what a recipe names, and return what runs it.

    Raises:
        InputError: an input is missing or illegal.
    """
    kinds: Mapping[type[BaseModel], Callable[..., Work]] = {
        AnnotateRecipe: _annotate,
        SearchRecipe: _search,
        SimilarityRecipe: _similarity,
        TrainRecipe: _train,
        WorldRecipe: _world,
    }
    return kinds[type(recipe)](recipe, watch)


def inputs_of(recipe: BaseModel) -> list[Path]:
    """The files and folders of data that a recipe reads on this machine, each once; models are not among them."""
    if isinstance(recipe, TrainRecipe):
        paths: list[str | None] = [recipe.data.path]
    elif isinstance(recipe, AnnotateRecipe):
        corpora = (*recipe.data, *recipe.answers)
        paths = [*(config.path for config in recipe.problems), *(config.path for config in corpora)]
    elif isinstance(recipe, SearchRecipe):
        paths = [recipe.problems.path]
    elif isinstance(recipe, SimilarityRecipe):
        paths = [config.path for config in recipe.sets.values()]
    else:
        paths = []
    return [Path(path) for path in dict.fromkeys(paths) if path is not None and not path.startswith(HUB)]


def _train(recipe: TrainRecipe, watch: Watch | None) -> Work:
    """Bad rows of the corpus go to quarantine.jsonl. A run that has its checkpoint is done."""
    corpus = corpus_of(recipe.data)
    trees = list(corpus)
    sources = sorted({node.label.source for tree in trees for node in tree if node.label is not None})

    def work(folder: RunFolder) -> dict[str, Any]:
        if folder.checkpoint.exists():
            return folder.read_metrics()
        from prmkit.train.fit import train_prm

        if corpus.bad and not folder.follower:
            append_lines(folder.quarantine, corpus.bad)
        result = train_prm(
            trees,
            recipe.model,
            recipe.train,
            folder.path,
            seed=recipe.seed,
            label_source="+".join(sources),
            progress=watch is not None,
        )
        metrics = result.metrics | {"corpus": corpus.record()}
        folder.metrics(metrics)
        return metrics

    return work


def _annotate(recipe: AnnotateRecipe, watch: Watch | None) -> Work:
    problems = [problem for config in recipe.problems for problem in _problems(config)]
    return annotate_work(recipe, problems, functools.partial(_engines, **_grading(recipe)), watch)


def expected_cost(recipe: BaseModel) -> dict[str, float]:
    """What a run will take, by name: of an annotation, from a pilot; of other stages nothing is known.

    Raises:
        InputError: an input is missing or illegal.
    """
    if not isinstance(recipe, AnnotateRecipe):
        return {}
    problems = [problem for config in recipe.problems for problem in _problems(config)]
    return pilot_cost(recipe, problems, functools.partial(_engines, **_grading(recipe)))


def _search(recipe: SearchRecipe, watch: Watch | None) -> Work:
    from prmkit.recipe.searching import search_work
    from prmkit.search.options import bind_strategy
    from prmkit.search.problem_set import check

    for strategy in (recipe.strategy, *recipe.compare.values()):
        if strategy is not None:
            bind_strategy(strategy)
    problems = _problems(recipe.problems)
    check(problems)
    return search_work(
        recipe, problems, _engines(recipe.generator, recipe.seed, **_scoring(recipe), **_grading(recipe)), watch
    )


def _similarity(recipe: SimilarityRecipe, watch: Watch | None) -> Work:
    """The Gram, from which every score follows, is kept in gram/; its parts, until it is whole, in parts/."""
    if not recipe.sets:
        raise InputError("no set of responses", where="sets", cure="Give NAME=FILE or NAME=RUN, or sets in the recipe.")
    trees = {
        name: list(itertools.islice(read_trees(Path(config.trees)), config.problems))
        for name, config in recipe.sets.items()
        if config.trees is not None
    }

    def work(folder: RunFolder) -> dict[str, Any]:
        from prmkit.similarity.comparison import run_similarity

        reference = recipe.reference
        reads_prm = recipe.pattern.target in ("prm_step", "prm_solution")
        model, encoder = _prm(reference.name) if reads_prm else _causal_lm(reference, recipe.pattern.offload)
        metrics = run_similarity(
            model,
            {
                name: _responses(config, trees.get(name, []), encoder, last_end=reads_prm)
                for name, config in recipe.sets.items()
            },
            recipe.pattern,
            folder.path,
            baselines=recipe.baselines,
            draws=recipe.draws,
            seed=recipe.seed,
            progress=functools.partial(watched, watch, "similarity"),
        )
        folder.metrics(metrics)
        return metrics

    return work


def _world(recipe: WorldRecipe, watch: Watch | None) -> Work:
    """A run that has its metrics is done; one that was cut off begins anew."""

    def work(folder: RunFolder) -> dict[str, Any]:
        if not folder.metrics_file.exists():
            start = time.monotonic()
            cost = make_world(folder.path, recipe.policy, seed=recipe.seed)
            folder.metrics({**cost, "seconds": time.monotonic() - start})
        return folder.read_metrics()

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

    loaded = load_prm(Path(checkpoint), device=accelerator())
    return loaded.prm, loaded.encoder


def _responses(
    config: ResponsesConfig, trees: list[StepTree], encoder: "StepEncoder", *, last_end: bool
) -> list[Response]:
    """Verdicts come from the evaluation of the run, where there is one."""
    if config.file is not None:
        return read_responses(Path(config.file), encoder, last_end=last_end)
    evaluation = Path(config.path).with_name("evaluation.json")
    verdicts = orjson.loads(evaluation.read_bytes()).get("correct") if evaluation.is_file() else None
    return list(
        responses_of(
            trees, encoder, config.select, per_problem=config.per_problem, last_end=last_end, verdicts=verdicts
        )
    )


def _problems(config: ProblemsConfig) -> list[Problem]:
    path = Path(config.path) if config.path is not None else None
    return load(config.benchmark, path=path, limit=config.limit, seed=config.seed, **config.options)


def _engines(policy: GeneratorConfig, seed: int, **scoring: Any) -> Engines:
    generator, encoder = load_generator(policy)
    return Engines(generator=generator, encoder=encoder, sampling=policy.sampling, seed=seed, **scoring)


def _grading(recipe: SearchRecipe | AnnotateRecipe) -> dict[str, Any]:
    grading = GradingConfig(unsafe_local=recipe.unsafe_local)
    return {"grader_for": functools.partial(grader_for, grading=grading)}


def _scoring(recipe: SearchRecipe) -> dict[str, Any]:
    if recipe.scorer is None:
        return {}
    scorer, label_source = load_scorer(recipe.scorer)
    return {"scorer": scorer, "aggregation": recipe.scorer.aggregation or default_aggregation(label_source)}
