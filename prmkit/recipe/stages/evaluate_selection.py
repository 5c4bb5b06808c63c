"""The stage ``evaluate-selection``: the answers of a search chosen again, by every rule and aggregation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prmkit.evaluate.reselection import SelectionResult, reselect
from prmkit.evaluate.searches import judged_searches, refuse_searches, search_folders, searches_in
from prmkit.recipe.parts import GradingChoice
from prmkit.recipe.stage import Stage, Work
from prmkit.recipe.watch import Watch, watched
from prmkit.run.folder import RunFolder


class EvaluateSelectionRecipe(BaseModel):
    """Choose the answers of a search again (``prmkit evaluate selection``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["evaluate-selection"] = Field(description="the verb that runs this recipe")
    path: str = Field(min_length=1, description="a search run, or one of several strategies side by side")
    grading: GradingChoice = Field(GradingChoice(), description="how solutions are judged")


def _prepare(recipe: EvaluateSelectionRecipe, watch: Watch | None) -> Work:
    searches = searches_in(Path(recipe.path))
    gradings = [recipe.grading.over(each.grading) for each in searches]
    refuse_searches(searches, gradings)

    def work(folder: RunFolder) -> SelectionResult:
        rows = []
        with watched(watch, "judge", sum(len(each.trees) for each in searches)) as done:
            for search, judged in judged_searches(searches, gradings[0], folder.path / "judged.jsonl", done):
                rows += reselect(search.name, judged)
        return SelectionResult(selection=rows, grading=gradings[0])

    return work


def _inputs(recipe: EvaluateSelectionRecipe) -> Iterator[str]:
    yield from (str(folder.trees) for folder in search_folders(Path(recipe.path)))


def _folder(recipe: EvaluateSelectionRecipe) -> Path:
    return Path(recipe.path, "selection")


STAGE = Stage(
    recipe=EvaluateSelectionRecipe,
    result=lambda recipe: SelectionResult,
    prepare=_prepare,
    inputs=_inputs,
    folder=_folder,
)
