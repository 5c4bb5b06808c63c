"""From a recipe to a run: builds the engines that the recipe names and hands them to the stage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prmkit.benchmarks import load
from prmkit.recipe.schema import AnnotateRecipe, ProblemsConfig, SearchRecipe
from prmkit.run import RunFolder
from prmkit.session import Engines, Session
from prmkit.session.journal import Journal
from prmkit.tree import Problem, StepTree

Done = Callable[[Session], None]
"""Called as each problem is done, for a progress bar."""


def problems_of(config: ProblemsConfig) -> list[Problem]:
    """The problems that a recipe names. Raises InputError as prmkit.benchmarks.load does."""
    path = Path(config.path) if config.path is not None else None
    return load(config.benchmark, path=path, limit=config.limit, seed=config.seed, **config.options)


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
    from prmkit.models.checkpoint import load_prm
    from prmkit.score.aggregate import default_aggregation
    from prmkit.score.transformers import TransformersScorer
    from prmkit.search.run import search

    generator, encoder = load_generator(recipe.generator)
    scoring: dict[str, Any] = {}
    if recipe.scorer is not None:
        loaded = load_prm(Path(recipe.scorer.checkpoint), device=str(generator.model.device))
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
