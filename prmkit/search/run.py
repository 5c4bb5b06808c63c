"""Search over a problem set: one strategy on all problems at once, to a file of trees."""

import asyncio
import inspect
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from prmkit.errors import InputError
from prmkit.search import STRATEGIES
from prmkit.session import Engines, Session
from prmkit.session.ledger import Ledger
from prmkit.session.run import run_sessions
from prmkit.stats import mean
from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import write_trees


class StrategyConfig(BaseModel):
    """A search strategy and its options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="built-in strategy, or my_package.module:coroutine")
    options: dict[str, int | float | str] = Field({}, description="keyword arguments of the strategy, such as n")


def search(
    problems: Sequence[Problem],
    engines: Engines,
    config: StrategyConfig,
    out: Path,
    *,
    done: Callable[[Session], None] = lambda session: None,
) -> dict[str, Any]:
    """Search every problem, write the trees to ``out`` in the order of the problems, and return the run's metrics.

    Each tree's meta holds ``strategy``, ``aggregation``, ``generations`` (how many were asked of the policy) and
    ``chosen``, the index of the chosen solution's last step (-1: no finished solution). Metrics: ``accuracy`` of the
    chosen solutions, ``unanswered`` problems, ``seconds`` and the summed ``ledger``.

    Raises:
        InputError: unknown strategy, an option it does not take or lacks, no problem.
    """
    if not problems:
        raise InputError("no problem to search", expected="at least one")
    strategy = _bound(config)
    sessions = [Session(StepTree(problem), engines) for problem in problems]
    right: dict[str, bool] = {}

    async def one(session: Session) -> None:
        leaf = await strategy(session)
        session.tree.meta |= {
            "strategy": config.name,
            "aggregation": engines.aggregation,
            "chosen": str(leaf),
            "generations": str(session.ledger.generations),
        }
        right[session.tree.problem.id] = leaf != ROOT and (await session.correct([leaf]))[0]

    start = time.monotonic()
    asyncio.run(run_sessions(sessions, one, done=done))
    write_trees(out, (session.tree for session in sessions))
    ledger = Ledger()
    for session in sessions:
        ledger.add(session.ledger)
    return {
        "strategy": config.name,
        "accuracy": mean([float(right[problem.id]) for problem in problems]).as_dict(),
        "unanswered": sum(session.tree.meta["chosen"] == str(ROOT) for session in sessions),
        "seconds": time.monotonic() - start,
        "ledger": ledger.as_dict(),
    }


def _bound(config: StrategyConfig) -> Callable[[Session], Any]:
    strategy = STRATEGIES.load(config.name)
    signature = inspect.signature(strategy)
    try:
        signature.bind(None, **config.options)
    except TypeError as error:
        options = [str(parameter) for parameter in list(signature.parameters.values())[1:]]
        raise InputError(
            f"wrong options for strategy {config.name} ({error})", got=config.options, expected=", ".join(options)
        ) from None
    return lambda session: strategy(session, **config.options)
