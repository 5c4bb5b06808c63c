"""From a recipe to a run: reads what the recipe names, builds the engines, hands them to the stage.

A run has two halves. ``prepare`` reads every input, so that bad ones are refused while the run folder, and whatever an
earlier run left in it, is still untouched. What it returns then works in the folder.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel

from prmkit.annotate import bind as bind_estimator
from prmkit.annotate.problems import Gathered
from prmkit.annotate.run import Annotation, Annotator, Load
from prmkit.benchmarks import load
from prmkit.generate import GeneratorConfig
from prmkit.recipe.schema import (
    AnnotateRecipe,
    DataConfig,
    ProblemsConfig,
    ResponsesConfig,
    SearchRecipe,
    SimilarityRecipe,
    TrainRecipe,
)
from prmkit.rows_io import HUB, local_rows
from prmkit.run import RunFolder
from prmkit.session import Engines
from prmkit.session.journal import Journal
from prmkit.similarity.response import Response, responses_of
from prmkit.sources import Corpus
from prmkit.tree import Problem, StepTree
from prmkit.trees_io import append_lines, read_trees, write_trees

if TYPE_CHECKING:
    from prmkit.models.encode import StepEncoder

Work = Callable[[RunFolder], dict[str, Any]]
"""Runs a prepared recipe in a folder, writes metrics.json there, and returns the metrics."""


class Watch(Protocol):
    """Shows progress: told what is done and how many there are, it gives a function to call as each is done."""

    def __call__(self, what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """Open a bar."""
        ...


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
    annotation = annotation_of(recipe)
    gathered = gathered_of(recipe)

    def work(folder: RunFolder) -> dict[str, Any]:
        from prmkit.annotate.run import annotate

        problems = folder.path / "passes" / "problems.jsonl"
        if problems.exists():
            read = folder.read_metrics()["read"]
        else:
            write_trees(problems, gathered)
            if bad := [row for corpus in gathered.corpora for row in corpus.bad]:
                append_lines(folder.quarantine, bad)
            read = gathered.record()
            folder.metrics({"read": read})
        metrics = annotate(problems, annotation, folder.path, watch=lambda what, total: _watched(watch, what, total))
        folder.metrics(metrics)
        return {"read": read, **metrics}

    return work


def expected_cost(recipe: BaseModel) -> dict[str, float]:
    """What a run will take, by name, from a pilot: of an annotation whose ``pilot`` is not 0; of others nothing.

    Raises:
        InputError: an input is missing or illegal.
    """
    if not isinstance(recipe, AnnotateRecipe) or not recipe.pilot:
        return {}
    from prmkit.annotate.plan import plan
    from prmkit.models.backbone import accelerator

    found = plan(gathered_of(recipe), annotation_of(recipe), recipe.pilot)
    unit = "gpu_hours" if accelerator() == "cuda" else "cpu_hours"
    return {"problems": found.problems, "rollouts": found.rollouts, "tokens": found.tokens, unit: found.hours}


def gathered_of(recipe: AnnotateRecipe) -> Gathered:
    """The trees that a recipe annotates; the first row of each corpus has been read, and so have all benchmarks."""
    corpora, answers = ([corpus_of(data) for data in part] for part in (recipe.data, recipe.answers))
    for data in (*recipe.data, *recipe.answers):
        if not data.path.startswith(HUB):
            next(iter(local_rows(Path(data.path))), None)
    return Gathered([problem for config in recipe.problems for problem in _problems(config)], corpora, answers)


def annotation_of(recipe: AnnotateRecipe) -> Annotation:
    """What a recipe asks of its annotators. Models are loaded when their pass begins, one at a time.

    Raises:
        InputError: an unknown estimator or option, or a local model that is not there.
    """
    from prmkit.models.backbone import load_tokenizer

    policies = (recipe.generator, *(each.generator for each in recipe.annotators if each.generator is not None))
    for name in dict.fromkeys(policy.name for policy in policies):
        load_tokenizer(name)
    models = _OneModel()
    return Annotation(
        policy=models.loader(recipe.generator),
        solutions=recipe.solutions,
        annotators=[
            Annotator(
                name=each.name,
                estimate=bind_estimator(each.estimator, each.options),
                load=models.loader(each.generator or recipe.generator),
            )
            for each in recipe.annotators
        ],
        consensus=recipe.consensus,
        sample=recipe.sample,
        seed=recipe.seed,
    )


class _OneModel:
    """Keeps the model that was used last: passes that share one load it once, and two never fill the memory."""

    def __init__(self) -> None:
        self._loaded: dict[str, Engines] = {}

    def loader(self, policy: GeneratorConfig) -> Load:
        key = policy.model_dump_json()

        def load(journal: Journal, seed: int) -> Engines:
            if key not in self._loaded:
                self._loaded.clear()
                self._loaded[key] = _engines(policy, seed)
            return replace(self._loaded[key], journal=journal, seed=seed)

        return load


def corpus_of(data: DataConfig) -> Corpus:
    """The corpus that a recipe names."""
    return Corpus(data.source, **data.model_dump(exclude={"source"}))


def _search(recipe: SearchRecipe, watch: Watch | None) -> Work:
    problems = _problems(recipe.problems)
    engines = _engines(recipe.generator, recipe.seed, **_scoring(recipe))

    def work(folder: RunFolder) -> dict[str, Any]:
        from prmkit.search.run import search

        with _watched(watch, "search", len(problems)) as done:
            found = search(
                problems,
                replace(engines, journal=_journal(folder)),
                recipe.strategy,
                folder.trees,
                done=lambda session: done(),
            )
        metrics = {"benchmark": recipe.problems.benchmark, **found}
        folder.metrics(metrics)
        return metrics

    return work


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
    from prmkit.generate.transformers import load_generator

    generator, encoder = load_generator(policy)
    return Engines(generator=generator, encoder=encoder, sampling=policy.sampling, seed=seed, **scoring)


def _journal(folder: RunFolder) -> Journal:
    """The journal of a run; of a resumed one, the trees are made again, which the journal answers at once."""
    folder.trees.unlink(missing_ok=True)
    return Journal(folder.journal)


def _scoring(recipe: SearchRecipe) -> dict[str, Any]:
    if recipe.scorer is None:
        return {}
    from prmkit.score.aggregate import default_aggregation
    from prmkit.score.transformers import load_scorer

    scorer, label_source = load_scorer(recipe.scorer)
    return {"scorer": scorer, "aggregation": recipe.scorer.aggregation or default_aggregation(label_source)}


@contextmanager
def _watched(watch: Watch | None, what: str, total: int) -> Iterator[Callable[[], None]]:
    if watch is None:
        yield lambda: None
    else:
        with watch(what, total) as done:
            yield done
