"""The stage ``search``: one strategy, or several side by side on the same problems and seeds.

Side by side, each strategy has a run folder of its own within the run's, and all have one journal: what two of them ask
alike of a problem, such as its first n solutions, is drawn once, and each is charged for it. Only under a limit on
seconds every strategy draws its own, since a reply from a journal takes no time.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prmkit.evaluate.side_by_side import SideBySideResult, side_by_side
from prmkit.generate import GeneratorConfig
from prmkit.grade.config import GradingConfig
from prmkit.recipe.parts import ProblemsConfig, engines_of, first_prompt
from prmkit.recipe.stage import Resources, Stage, Work
from prmkit.recipe.watch import Done, Watch, watched
from prmkit.run.folder import RunFolder
from prmkit.run.results import Result, write_result
from prmkit.score import ScorerConfig, load_scorer
from prmkit.score.aggregate import default_aggregation
from prmkit.search.options import StrategyConfig, bind_strategy
from prmkit.search.problem_set import check, check_gold_answers, search
from prmkit.search.progress import Progress
from prmkit.search.result import SearchResult, read_costs
from prmkit.session import Engines
from prmkit.session.budget import BudgetConfig
from prmkit.session.journal import Journal
from prmkit.tree import Problem


class SearchRecipe(BaseModel):
    """Search a benchmark with a policy and a PRM (``prmkit search``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["search"] = Field(description="the verb that runs this recipe")
    seed: int = Field(0, ge=0, lt=2**32, description="of every random choice of the run")
    problems: ProblemsConfig = Field(description="what to solve")
    generator: GeneratorConfig = Field(description="the policy")
    scorer: ScorerConfig | None = Field(None, description="the PRM, for strategies that use one")
    strategy: StrategyConfig | None = Field(None, description="how to search")
    compare: dict[str, StrategyConfig] = Field({}, description="in its place, strategies to run side by side, by name")
    budget: BudgetConfig = Field(BudgetConfig(), description="what may be spent on a problem")
    grading: GradingConfig = Field(GradingConfig(), description="how solutions are judged")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.strategy is None) == (not self.compare):
            raise ValueError("give either strategy or compare")
        return self

    @property
    def strategies(self) -> list[StrategyConfig]:
        """The one, or all that run side by side."""
        return [each for each in (self.strategy, *self.compare.values()) if each is not None]


def _prepare(recipe: SearchRecipe, watch: Watch | None) -> Work:
    for each in recipe.strategies:
        bind_strategy(each)
    problems = recipe.problems.load()
    check(problems)
    check_gold_answers(problems, recipe.grading)
    one = partial(_one, recipe, problems, _engines(recipe), watch)
    strategy = recipe.strategy
    if strategy is None:
        return partial(_all, recipe, one)
    return lambda folder: one(folder, strategy, Journal(folder.journal))


def _engines(recipe: SearchRecipe) -> Engines:
    scoring: dict[str, Any] = {}
    if recipe.scorer is not None:
        scorer, label_source = load_scorer(recipe.scorer)
        aggregation = recipe.scorer.aggregation or default_aggregation(label_source)
        scoring = {"scorer": scorer, "aggregation": aggregation}
    return engines_of(recipe.generator, recipe.seed, grading=recipe.grading, **scoring)


def _one(
    recipe: SearchRecipe,
    problems: list[Problem],
    engines: Engines,
    watch: Watch | None,
    folder: RunFolder,
    strategy: StrategyConfig,
    journal: Journal,
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
) -> SearchResult:
    """Search by one strategy. The trees of a resumed run are made again, which the journal answers at once."""
    folder.trees.unlink(missing_ok=True)
    with watched(watch, f"search by {strategy.name}", len(problems)) as done:
        try:
            return search(
                problems,
                replace(engines, journal=journal),
                strategy,
                folder.trees,
                budget=recipe.budget,
                show=_Shown(done).show if watch else None,
                run=run,
                benchmark=recipe.problems.benchmark,
            )
        finally:
            journal.close()


def _all(recipe: SearchRecipe, one: Callable[..., SearchResult], folder: RunFolder) -> SideBySideResult:
    found = {}
    with asyncio.Runner() as runner:  # an engine belongs to the event loop that first asked it
        models = folder.read_record().get("models")
        for name, strategy in recipe.compare.items():
            values = recipe.model_dump(mode="json") | {"strategy": strategy.model_dump(mode="json"), "compare": {}}
            part = RunFolder.create(folder.path / name, values, models=models, seed=recipe.seed, resume=True)
            if not part.metrics_file.exists():
                shared = part if recipe.budget.seconds is not None else folder
                write_result(part.metrics_file, one(part, strategy, Journal(shared.journal), runner.run))
            found[name] = part
    compared = side_by_side({name: read_costs(part.trees) for name, part in found.items()}, seed=recipe.seed)
    return SideBySideResult(benchmark=recipe.problems.benchmark, **dict(compared))


class _Shown:
    """Shows the progress of a search as what was done since it was shown last, and the figures of now."""

    def __init__(self, done: Done) -> None:
        self._done = done
        self._count = 0

    def show(self, progress: Progress) -> None:
        count, self._count = progress.done - self._count, progress.done
        self._done(count, progress.figures())


def _result(recipe: Mapping[str, Any]) -> type[Result]:
    return SideBySideResult if recipe.get("compare") else SearchResult


def _inputs(recipe: SearchRecipe) -> Iterator[str | None]:
    yield recipe.problems.path


def _cost(recipe: SearchRecipe, resources: Resources) -> str:
    problems = f"{recipe.problems.limit:,} problems" if recipe.problems.limit is not None else "all problems"
    limits = ", ".join(f"{value:,} {kind}" for kind, value in recipe.budget.limits().items())
    if not limits:
        limits = f"{' + '.join(str(each.options.get('n', '?')) for each in recipe.strategies)} solutions"
    many = f", {len(recipe.strategies)} strategies" if len(recipe.strategies) > 1 else ""
    return f"{problems} x {limits}{many}"


STAGE = Stage(
    recipe=SearchRecipe,
    result=_result,
    prepare=_prepare,
    inputs=_inputs,
    cost=_cost,
    prompts=lambda recipe: {"generator": first_prompt(recipe.generator, [recipe.problems])},
)
