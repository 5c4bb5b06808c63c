"""The stage ``evaluate-rethinking``: what a PRM says of steps that think again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prmkit.evaluate.rethinking import RethinkingResult, refuse_unscored, rethinking
from prmkit.evaluate.searches import judged_searches, refuse_searches, search_in
from prmkit.recipe.parts import GradingChoice
from prmkit.recipe.stage import Stage, Work
from prmkit.recipe.watch import Watch, watched
from prmkit.run.folder import RunFolder


class EvaluateRethinkingRecipe(BaseModel):
    """What a PRM says of steps that think again (``prmkit evaluate rethinking``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["evaluate-rethinking"] = Field(description="the verb that runs this recipe")
    path: str = Field(min_length=1, description="a search run whose every step was scored")
    grading: GradingChoice = Field(GradingChoice(), description="how solutions are judged")


def _prepare(recipe: EvaluateRethinkingRecipe, watch: Watch | None) -> Work:
    search = search_in(Path(recipe.path))
    grading = recipe.grading.over(search.grading)
    refuse_searches([search], [grading])
    refuse_unscored(search.trees)

    def work(folder: RunFolder) -> RethinkingResult:
        with watched(watch, "judge", len(search.trees)) as done:
            ((_, judged),) = judged_searches([search], grading, folder.path / "judged.jsonl", done)
        return RethinkingResult(**dict(rethinking(search.trees, judged)), grading=grading)

    return work


def _inputs(recipe: EvaluateRethinkingRecipe) -> Iterator[str]:
    yield str(RunFolder(Path(recipe.path)).trees)


def _folder(recipe: EvaluateRethinkingRecipe) -> Path:
    return Path(recipe.path, "rethinking")


STAGE = Stage(
    recipe=EvaluateRethinkingRecipe,
    result=lambda recipe: RethinkingResult,
    prepare=_prepare,
    inputs=_inputs,
    folder=_folder,
)
