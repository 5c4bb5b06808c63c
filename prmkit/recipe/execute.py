"""From a recipe to a run: reads what the recipe names, builds the engines, hands them to the stage.

A run has two halves. ``prepare`` reads every input, so that bad ones are refused while the run folder, and whatever an
earlier run left in it, is still untouched. What it returns then works in the folder.
"""

import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from prmkit.benchmarks import load
from prmkit.generate import GeneratorConfig, load_generator
from prmkit.recipe.annotating import annotate_work, corpus_of
from prmkit.recipe.annotating import expected_cost as pilot_cost
from prmkit.recipe.schema import (
    AnnotateRecipe,
    ProblemsConfig,
    ResponsesConfig,
    SearchRecipe,
    SimilarityRecipe,
    TrainRecipe,
)
from prmkit.recipe.watch import Watch
from prmkit.rows_io import HUB
from prmkit.run import RunFolder
from prmkit.score import load_scorer
from prmkit.score.aggregate import default_aggregation
from prmkit.session import Engines
from prmkit.similarity.response import Response, responses_of
from prmkit.tree import Problem, StepTree
from prmkit.trees_io import append_lines, read_trees

if TYPE_CHECKING:
    from prmkit.models.encode import StepEncoder

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
        paths = [config.trees for config in recipe.sets.values()]
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
    return annotate_work(recipe, problems, _engines, watch)


def expected_cost(recipe: BaseModel) -> dict[str, float]:
    """What a run will take, by name: of an annotation, from a pilot; of other stages nothing is known.

    Raises:
        InputError: an input is missing or illegal.
    """
    if not isinstance(recipe, AnnotateRecipe):
        return {}
    problems = [problem for config in recipe.problems for problem in _problems(config)]
    return pilot_cost(recipe, problems, _engines)


def _search(recipe: SearchRecipe, watch: Watch | None) -> Work:
    from prmkit.recipe.searching import search_work
    from prmkit.search.options import bind_strategy
    from prmkit.search.run import check

    for strategy in (recipe.strategy, *recipe.compare.values()):
        if strategy is not None:
            bind_strategy(strategy)
    problems = _problems(recipe.problems)
    check(problems)
    return search_work(recipe, problems, _engines(recipe.generator, recipe.seed, **_scoring(recipe)), watch)


def _similarity(recipe: SimilarityRecipe, watch: Watch | None) -> Work:
    """The Gram, from which every score follows, is kept in gram/."""
    trees = {
        name: list(itertools.islice(read_trees(Path(config.trees)), config.problems))
        for name, config in recipe.sets.items()
    }

    def work(folder: RunFolder) -> dict[str, Any]:
        import torch

        from prmkit.models.backbone import load_causal_lm
        from prmkit.models.encode import StepEncoder
        from prmkit.similarity import similarity
        from prmkit.similarity.table import similarity_table

        start = time.monotonic()
        model, tokenizer = load_causal_lm(recipe.reference.name, getattr(torch, recipe.reference.dtype))
        encoder = StepEncoder(tokenizer, recipe.reference.format)
        sets = {name: _responses(recipe.sets[name], trees[name], encoder) for name in recipe.sets}
        gram = similarity(model, sets, recipe.pattern)
        gram.save(folder.path / "gram")
        metrics = {
            "table": [row.as_dict() for row in similarity_table(gram)],
            "responses": {name: len(responses) for name, responses in sets.items()},
            **gram.origin,
            "seconds": time.monotonic() - start,
        }
        folder.metrics(metrics)
        return metrics

    return work


def _problems(config: ProblemsConfig) -> list[Problem]:
    path = Path(config.path) if config.path is not None else None
    return load(config.benchmark, path=path, limit=config.limit, seed=config.seed, **config.options)


def _responses(config: ResponsesConfig, trees: list[StepTree], encoder: "StepEncoder") -> list[Response]:
    return list(responses_of(trees, encoder, config.select, per_problem=config.per_problem))


def _engines(policy: GeneratorConfig, seed: int, **scoring: Any) -> Engines:
    generator, encoder = load_generator(policy)
    return Engines(generator=generator, encoder=encoder, sampling=policy.sampling, seed=seed, **scoring)


def _scoring(recipe: SearchRecipe) -> dict[str, Any]:
    if recipe.scorer is None:
        return {}
    scorer, label_source = load_scorer(recipe.scorer)
    return {"scorer": scorer, "aggregation": recipe.scorer.aggregation or default_aggregation(label_source)}
