"""A stage that nobody but the tests knows: what somebody who adds one writes."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prmkit.recipe.stage import Resources, Stage, Work
from prmkit.recipe.watch import Watch, watched
from prmkit.run.folder import RunFolder
from prmkit.run.results import Result
from prmkit.stats import Estimate, mean


class CountRecipe(BaseModel):
    """Count the words of a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["count"] = Field(description="the verb that runs this recipe")
    path: str = Field(description="a file of text")
    least: int = Field(0, ge=0, description="words that a line must have to be counted")


class CountResult(Result):
    """How many words a line has."""

    kind = "count"

    lines: int
    words: Estimate


def _prepare(recipe: CountRecipe, watch: Watch | None) -> Work:
    with open(recipe.path) as file:
        lines = [line.split() for line in file if len(line.split()) >= recipe.least]

    def work(folder: RunFolder) -> CountResult:
        counts = []
        with watched(watch, "count", len(lines)) as done:
            for line in lines:
                counts.append(float(len(line)))
                done()
        return CountResult(lines=len(lines), words=mean(counts))

    return work


def _cost(recipe: CountRecipe, resources: Resources) -> str:
    return f"reads {recipe.path}"


STAGE = Stage(
    recipe=CountRecipe,
    result=lambda recipe: CountResult,
    prepare=_prepare,
    inputs=lambda recipe: [recipe.path],
    cost=_cost,
)
