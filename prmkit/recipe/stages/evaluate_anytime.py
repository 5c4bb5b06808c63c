"""The stage ``evaluate-anytime``: the accuracy of a search at every smaller budget."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prmkit.errors import InputError
from prmkit.evaluate.anytime import AnytimeResult, anytime
from prmkit.evaluate.searches import Search, judged_searches, refuse_searches, search_folders, searches_in
from prmkit.recipe.parts import GradingChoice
from prmkit.recipe.stage import Stage, Work
from prmkit.recipe.watch import Watch, watched
from prmkit.run.folder import RunFolder
from prmkit.search.result import COSTS, ProblemCost, read_costs


class EvaluateAnytimeRecipe(BaseModel):
    """Accuracy of a search at every budget (``prmkit evaluate anytime``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["evaluate-anytime"] = Field(description="the verb that runs this recipe")
    path: str = Field(min_length=1, description="a search run, or one of several strategies side by side")
    grading: GradingChoice = Field(GradingChoice(), description="how solutions are judged")


def _prepare(recipe: EvaluateAnytimeRecipe, watch: Watch | None) -> Work:
    searches = searches_in(Path(recipe.path))
    gradings = [recipe.grading.over(each.grading) for each in searches]
    refuse_searches(searches, gradings)
    costs = {search.name: _costs(search) for search in searches}

    def work(folder: RunFolder) -> AnytimeResult:
        curves = {}
        with watched(watch, "judge", sum(len(each.trees) for each in searches)) as done:
            for search, judged in judged_searches(searches, gradings[0], folder.path / "judged.jsonl", done):
                spent, strategy = costs[search.name], search.trees[0].meta.get("strategy", search.name)
                curves[search.name] = anytime(strategy, judged, spent, rule=search.rule, how=search.aggregation)
        return AnytimeResult(curves=curves, grading=gradings[0])

    return work


def _costs(search: Search) -> list[ProblemCost]:
    """What each tree of the search cost."""
    costs = read_costs(search.folder.trees)
    if [cost.problem for cost in costs] != [tree.problem.id for tree in search.trees]:
        raise InputError(
            "the costs are not those of the trees",
            where=search.folder.trees.with_name(COSTS),
            got=f"{len(costs)} problems",
            expected=f"the {len(search.trees)} of {search.folder.trees}",
            cure="Go on with the search by --resume, or search again.",
        )
    return costs


def _inputs(recipe: EvaluateAnytimeRecipe) -> Iterator[str]:
    for folder in search_folders(Path(recipe.path)):
        yield str(folder.trees)
        yield str(folder.trees.with_name(COSTS))


def _folder(recipe: EvaluateAnytimeRecipe) -> Path:
    return Path(recipe.path, "anytime")


STAGE = Stage(
    recipe=EvaluateAnytimeRecipe,
    result=lambda recipe: AnytimeResult,
    prepare=_prepare,
    inputs=_inputs,
    folder=_folder,
)
