"""An annotation recipe at work: its corpora are gathered into one file, and its annotators pass over that."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from prmkit.annotate import bind
from prmkit.annotate.annotation import Annotation, Annotator, Load
from prmkit.annotate.problems import Gathered
from prmkit.generate import GeneratorConfig
from prmkit.recipe.schema import AnnotateRecipe, DataConfig
from prmkit.recipe.watch import Watch, watched
from prmkit.rows_io import HUB, local_rows
from prmkit.run.folder import RunFolder
from prmkit.session import Engines
from prmkit.session.journal import Journal
from prmkit.sources import Corpus
from prmkit.tree import Problem
from prmkit.trees_io import append_lines, write_trees

LoadModel = Callable[[GeneratorConfig, int], Engines]
"""Loads the model of a recipe; told the seed too."""


def annotate_work(
    recipe: AnnotateRecipe, problems: list[Problem], load: LoadModel, watch: Watch | None
) -> Callable[[RunFolder], dict[str, Any]]:
    """What runs the recipe in a folder.

    Raises:
        InputError: as ``annotation_of`` and ``gathered_of``.
    """
    annotation = annotation_of(recipe, load)
    gathered = gathered_of(recipe, problems)

    def work(folder: RunFolder) -> dict[str, Any]:
        from prmkit.annotate.annotation import annotate

        together = folder.path / "passes" / "problems.jsonl"
        if together.exists() and "read" in folder.read_metrics():
            read = folder.read_metrics()["read"]
        else:
            for stale in (together, folder.quarantine):
                stale.unlink(missing_ok=True)
            write_trees(together, gathered)
            if bad := [row for corpus in gathered.corpora for row in corpus.bad]:
                append_lines(folder.quarantine, bad)
            read = gathered.record()
            folder.metrics({"read": read})
        metrics = annotate(together, annotation, folder.path, watch=lambda what, total: watched(watch, what, total))
        folder.metrics(metrics)
        return {"read": read, **metrics}

    return work


def expected_cost(recipe: AnnotateRecipe, problems: list[Problem], load: LoadModel) -> dict[str, float]:
    """What a run will take, by name, from a pilot; nothing if the recipe wants none.

    Raises:
        InputError: an input is missing or illegal.
    """
    if not recipe.pilot:
        return {}
    from prmkit.annotate.plan import plan
    from prmkit.models.backbone import accelerator

    found = plan(gathered_of(recipe, problems), annotation_of(recipe, load), recipe.pilot)
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
    corpora, answers = ([corpus_of(data) for data in part] for part in (recipe.data, recipe.answers))
    return Gathered(problems, corpora, answers)


def annotation_of(recipe: AnnotateRecipe, load: LoadModel) -> Annotation:
    """What a recipe asks of its annotators. Models are loaded when their pass begins, one at a time.

    Raises:
        InputError: an unknown estimator or option, or a model that is not there.
    """
    from prmkit.models.backbone import load_tokenizer

    policies = (recipe.generator, *(each.generator for each in recipe.annotators if each.generator is not None))
    for name in dict.fromkeys(policy.name for policy in policies):
        load_tokenizer(name)
    models = _OneModel(load)
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


def corpus_of(data: DataConfig) -> Corpus:
    """The corpus that a recipe names."""
    return Corpus(data.source, **data.model_dump(exclude={"source"}))


class _OneModel:
    """Keeps the model that was used last: passes that share one load it once, and two never fill the memory."""

    def __init__(self, load: LoadModel) -> None:
        self._load = load
        self._loaded: dict[str, Engines] = {}

    def loader(self, policy: GeneratorConfig) -> Load:
        key = policy.model_dump_json()

        def load(journal: Journal, seed: int) -> Engines:
            if key not in self._loaded:
                self._loaded.clear()
                self._loaded[key] = self._load(policy, seed)
            return replace(self._loaded[key], journal=journal, seed=seed)

        return load
