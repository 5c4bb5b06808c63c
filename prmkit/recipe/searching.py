"""A search recipe at work: one strategy, or several side by side on the same problems and seeds.

Side by side, each strategy has a run folder of its own within the run's, and all have one journal: what two of them ask
alike of a problem, such as its first n solutions, is drawn once, and each is charged for it. Only under a limit on
seconds every strategy draws its own, since a reply from a journal takes no time.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from prmkit.evaluate.side_by_side import side_by_side
from prmkit.grade import isolation_of
from prmkit.recipe.schema import SearchRecipe
from prmkit.recipe.watch import Done, Watch, watched
from prmkit.run.folder import RunFolder
from prmkit.search.options import StrategyConfig
from prmkit.search.problem_set import read_costs, search
from prmkit.search.progress import Progress
from prmkit.session import Engines
from prmkit.session.journal import Journal
from prmkit.tree import Problem

Work = Callable[[RunFolder], dict[str, Any]]
"""Runs a prepared recipe in a folder, writes metrics.json there, and returns the metrics."""


def search_work(recipe: SearchRecipe, problems: list[Problem], engines: Engines, watch: Watch | None) -> Work:
    """What runs the recipe's strategy, or its strategies."""
    one = partial(_one, recipe, problems, engines, watch)
    strategy = recipe.strategy
    if strategy is not None:
        return lambda folder: one(folder, strategy, Journal(folder.journal))
    return lambda folder: _all(recipe, folder, one)


def _one(
    recipe: SearchRecipe,
    problems: list[Problem],
    engines: Engines,
    watch: Watch | None,
    folder: RunFolder,
    strategy: StrategyConfig,
    journal: Journal,
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
) -> dict[str, Any]:
    """Search by one strategy. The trees of a resumed run are made again, which the journal answers at once."""
    folder.trees.unlink(missing_ok=True)
    with watched(watch, f"search by {strategy.name}", len(problems)) as done:
        try:
            found = search(
                problems,
                replace(engines, journal=journal),
                strategy,
                folder.trees,
                budget=recipe.budget,
                show=_Shown(done).show if watch else None,
                run=run,
            )
        finally:
            journal.close()
    metrics = {"benchmark": recipe.problems.benchmark, **found, **isolation_of(problems)}
    folder.metrics(metrics)
    return metrics


def _all(recipe: SearchRecipe, folder: RunFolder, one: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    found = {}
    with asyncio.Runner() as runner:  # an engine belongs to the event loop that first asked it
        for name, strategy in recipe.compare.items():
            values = recipe.model_dump(mode="json") | {"strategy": strategy.model_dump(mode="json"), "compare": {}}
            part = RunFolder.create(folder.path / name, values, seed=recipe.seed, resume=True)
            if not part.metrics_file.exists():
                shared = part if recipe.budget.seconds is not None else folder
                one(part, strategy, Journal(shared.journal), runner.run)
            found[name] = part
    metrics: dict[str, Any] = {
        "benchmark": recipe.problems.benchmark,
        **side_by_side({name: read_costs(part.trees) for name, part in found.items()}, seed=recipe.seed),
    }
    folder.metrics(metrics)
    return metrics


class _Shown:
    """Shows the progress of a search as what was done since it was shown last, and the figures of now."""

    def __init__(self, done: Done) -> None:
        self._done = done
        self._count = 0

    def show(self, progress: Progress) -> None:
        count, self._count = progress.done - self._count, progress.done
        self._done(count, progress.figures())
