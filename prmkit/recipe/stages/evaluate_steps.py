"""The stage ``evaluate-steps``: how well a PRM finds the wrong steps of a labelled corpus."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prmkit.errors import InputError
from prmkit.evaluate.labelled import (
    StepsResult,
    choose_threshold,
    evaluate_labelled,
    refuse_choice,
    refuse_labels,
    score_trees,
)
from prmkit.evaluate.resumable import Finished
from prmkit.recipe.parts import DataConfig
from prmkit.recipe.stage import Stage, Work
from prmkit.recipe.watch import Watch, watched
from prmkit.rows_io import HUB
from prmkit.run.activity import busy
from prmkit.run.folder import RunFolder
from prmkit.score import ScorerConfig, load_scorer
from prmkit.sources.corpus import write_quarantine
from prmkit.trees_io import to_record, write_trees


class EvaluateStepsRecipe(BaseModel):
    """Measure a PRM on labelled steps (``prmkit evaluate steps``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["evaluate-steps"] = Field(description="the verb that runs this recipe")
    corpus: DataConfig = Field(description="the labelled solutions")
    scorer: ScorerConfig = Field(description="the PRM, or another scorer of steps")
    threshold: float = Field(0.5, ge=0.0, le=1.0, description="a step that scores below it is called wrong")
    choose_on: DataConfig | None = Field(None, description="a corpus to choose the threshold on, in place of that")

    @model_validator(mode="after")
    def _apart(self) -> "EvaluateStepsRecipe":
        if self.choose_on is not None and self.choose_on.path == self.corpus.path:
            raise ValueError(f"the threshold must be chosen on other data than {self.corpus.path}")
        return self


def _prepare(recipe: EvaluateStepsRecipe, watch: Watch | None) -> Work:
    """Scores are kept as they are found, so that a killed run goes on. Bad rows go to quarantine.jsonl."""
    start = time.monotonic()
    corpus = recipe.corpus.corpus()
    trees = list(corpus)
    other = recipe.choose_on.corpus() if recipe.choose_on is not None else None
    apart = list(other) if other is not None else []
    for tree in (*trees, *apart):
        tree.note_reads(recipe.scorer.reads)  # so that the labels that will be judged by are looked at, and no others
    refuse_labels(trees)
    if other is not None:
        if [to_record(tree) for tree in apart] == [to_record(tree) for tree in trees]:
            cure = "Choose it on other data."
            raise InputError("the threshold would be chosen on the data it is tried on", where=other.path, cure=cure)
        refuse_choice(apart)
    corpora = [corpus] if other is None else [corpus, other]
    scorer, _ = load_scorer(recipe.scorer)

    def work(folder: RunFolder) -> StepsResult:
        scored = folder.path / "scored.jsonl"
        with watched(watch, "score", len(trees) + len(apart)) as done:
            cost = score_trees([*trees, *apart], scorer, done=done, finished=Finished(scored))
        write_quarantine(folder.quarantine, corpora)
        folder.trees.unlink(missing_ok=True)
        write_trees(folder.trees, trees)
        scored.unlink(missing_ok=True)
        with busy("putting the figures together"):
            chosen = recipe.threshold if recipe.choose_on is None else choose_threshold(apart, recipe.choose_on.path)
            figures = evaluate_labelled(trees, chosen)
        seconds = time.monotonic() - start
        return StepsResult(**dict(figures), corpus=corpus.record(), scoring=cost, seconds=seconds)

    return work


def _inputs(recipe: EvaluateStepsRecipe) -> Iterator[str | None]:
    yield recipe.corpus.path
    yield recipe.choose_on.path if recipe.choose_on is not None else None


def _folder(recipe: EvaluateStepsRecipe) -> Path:
    """Named by the corpus and the PRM, so that several of each stand side by side."""
    path = Path(getattr(recipe.scorer, "checkpoint", None) or recipe.scorer.engine.name)
    scorer = path.parent.name if path.name == "checkpoint" else path.name
    corpus = recipe.corpus.path.removeprefix(HUB).rpartition("/")[2].partition(".")[0].replace(":", "-")
    return Path("runs", f"evaluate-{corpus}-{scorer}")


STAGE = Stage(
    recipe=EvaluateStepsRecipe, result=lambda recipe: StepsResult, prepare=_prepare, inputs=_inputs, folder=_folder
)
