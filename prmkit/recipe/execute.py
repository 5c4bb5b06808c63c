"""From a recipe to a run: builds the engines that the recipe names and hands them to the stage."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prmkit.benchmarks import load
from prmkit.recipe.schema import (
    AnnotateRecipe,
    ProblemsConfig,
    ResponsesConfig,
    SearchRecipe,
    SimilarityRecipe,
    TrainRecipe,
)
from prmkit.run import RunFolder
from prmkit.session import Engines, Session
from prmkit.session.journal import Journal
from prmkit.similarity.response import Response, responses_of
from prmkit.sources import Corpus
from prmkit.tree import Problem, StepTree
from prmkit.trees_io import read_trees

if TYPE_CHECKING:
    from prmkit.models.encode import StepEncoder

Done = Callable[[Session], None]
"""Called as each problem is done, for a progress bar."""


def problems_of(config: ProblemsConfig) -> list[Problem]:
    """The problems that a recipe names. Raises InputError as prmkit.benchmarks.load does."""
    path = Path(config.path) if config.path is not None else None
    return load(config.benchmark, path=path, limit=config.limit, seed=config.seed, **config.options)


def run_train(recipe: TrainRecipe, folder: RunFolder, *, progress: bool) -> dict[str, Any]:
    """Train a PRM, write checkpoint, history.csv and metrics.json, and return the metrics.

    Bad rows of the corpus go to quarantine.jsonl.
    """
    from prmkit.train.fit import train_prm

    data = recipe.data
    corpus = Corpus(
        data.source,
        data.path,
        options=data.options,
        limit=data.limit,
        max_bad=data.max_bad,
        quarantine=None if folder.follower else folder.quarantine,
    )
    trees = list(corpus)
    sources = sorted({node.label.source for tree in trees for node in tree if node.label is not None})
    result = train_prm(
        trees,
        recipe.model,
        recipe.train,
        folder.path,
        seed=recipe.seed,
        label_source="+".join(sources),
        progress=progress,
    )
    metrics = result.metrics | {"corpus": corpus.counts.as_dict()}
    folder.metrics(metrics)
    return metrics


def run_annotate(recipe: AnnotateRecipe, problems: list[Problem], folder: RunFolder, done: Done) -> dict[str, Any]:
    """Annotate ``problems``, write trees.jsonl and metrics.json, and return the metrics."""
    from prmkit.annotate.run import annotate
    from prmkit.generate.transformers import load_generator

    generator, encoder = load_generator(recipe.generator)
    engines = Engines(
        generator=generator,
        encoder=encoder,
        sampling=recipe.generator.sampling,
        seed=recipe.seed,
        journal=Journal(folder.journal),
    )
    trees = [StepTree(problem) for problem in problems]
    folder.trees.unlink(missing_ok=True)  # of a resumed run; the journal gives the same trees again
    metrics = annotate(trees, engines, recipe.estimator, recipe.monte_carlo, folder.trees, done=done)
    folder.metrics(metrics)
    return metrics


def run_search(recipe: SearchRecipe, problems: list[Problem], folder: RunFolder, done: Done) -> dict[str, Any]:
    """Search ``problems``, write trees.jsonl and metrics.json, and return the metrics."""
    from prmkit.generate.transformers import load_generator
    from prmkit.models.backbone import accelerator
    from prmkit.models.checkpoint import load_prm
    from prmkit.score.aggregate import default_aggregation
    from prmkit.score.transformers import TransformersScorer
    from prmkit.search.run import search

    generator, encoder = load_generator(recipe.generator)
    scoring: dict[str, Any] = {}
    if recipe.scorer is not None:
        loaded = load_prm(Path(recipe.scorer.checkpoint), device=accelerator())
        scoring = {
            "scorer": TransformersScorer(loaded, max_tokens=recipe.scorer.max_tokens),
            "aggregation": recipe.scorer.aggregation or default_aggregation(loaded.meta.label_source),
        }
    engines = Engines(
        generator=generator,
        encoder=encoder,
        sampling=recipe.generator.sampling,
        seed=recipe.seed,
        journal=Journal(folder.journal),
        **scoring,
    )
    folder.trees.unlink(missing_ok=True)  # of a resumed run; the journal gives the same trees again
    metrics = {"benchmark": recipe.problems.benchmark}
    metrics |= search(problems, engines, recipe.strategy, folder.trees, done=done)
    folder.metrics(metrics)
    return metrics


def run_similarity(recipe: SimilarityRecipe, folder: RunFolder) -> dict[str, Any]:
    """Compare the sets of a recipe, write gram/ and metrics.json, and return the metrics."""
    import torch

    from prmkit.models.backbone import load_causal_lm
    from prmkit.models.encode import StepEncoder
    from prmkit.similarity import similarity
    from prmkit.similarity.table import similarity_table

    start = time.monotonic()
    model, tokenizer = load_causal_lm(recipe.reference.name, getattr(torch, recipe.reference.dtype))
    encoder = StepEncoder(tokenizer, recipe.reference.format)
    sets = {name: _responses(config, encoder) for name, config in recipe.sets.items()}
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


def _responses(config: ResponsesConfig, encoder: "StepEncoder") -> list[Response]:
    trees = itertools.islice(read_trees(Path(config.trees)), config.problems)
    return list(responses_of(trees, encoder, config.select, per_problem=config.per_problem))
