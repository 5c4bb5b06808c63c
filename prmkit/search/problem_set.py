"""Search over a problem set: one strategy on all problems at once, to a file of trees."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import orjson

from prmkit.errors import InputError
from prmkit.generate import TooLong
from prmkit.grade import grader_for, isolation_of
from prmkit.grade.config import GradingConfig
from prmkit.run.activity import busy
from prmkit.run.files import write_whole
from prmkit.search.answer import answer
from prmkit.search.options import StrategyConfig, bind_strategy
from prmkit.search.progress import Progress
from prmkit.search.result import COSTS, CheckpointCost, ProblemCost, SearchResult
from prmkit.session import Engines, Session
from prmkit.session.budget import BudgetConfig, Exhausted, costs
from prmkit.session.concurrent import run_sessions
from prmkit.session.ledger import total
from prmkit.stats import mean
from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import write_trees

_LOG = logging.getLogger(__name__)

UNLIMITED = BudgetConfig()


def search(
    problems: Sequence[Problem],
    engines: Engines,
    config: StrategyConfig,
    out: Path,
    *,
    budget: BudgetConfig = UNLIMITED,
    show: Callable[[Progress], None] | None = None,
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
    benchmark: str = "",
) -> SearchResult:
    """Search every problem, write the trees to ``out`` in the order of the problems, and return what was found.

    Each tree's meta holds ``strategy``, ``aggregation``, ``generations`` (see Width), ``exhausted`` (whether the budget
    ended it, so that the choice is the best so far) and ``chosen``, the index of the chosen solution's last step (-1:
    no finished solution). Beside the trees, costs.jsonl holds what each problem cost, and when.

    A problem that fills the policy's context is left unanswered, counted and named in a warning; the others go on.

    Args:
        problems: what to solve, each with something to be judged by.
        engines: policy, PRM, judge and journal.
        config: the strategy.
        out: a new file.
        budget: what may be spent.
        show: told twice a second, and at the end, how things stand.
        run: runs a coroutine to its end; searches that follow each other with one engine need one event loop.
        benchmark: whose problems they are, for the record.

    Raises:
        InputError: unknown strategy, an option it does not take or lacks, no problem, or one that cannot be judged.
    """
    check(problems)
    strategy = bind_strategy(config)
    sessions = [Session(StepTree(problem), engines, budget, problems=len(problems)) for problem in problems]
    progress = Progress(sessions, engines)
    ended: dict[int, tuple[StepTree, ProblemCost]] = {}

    async def one(session: Session) -> None:
        try:
            leaf = await strategy(session)
        except Exhausted:  # a strategy that does not catch it itself
            session.note_exhausted()
            leaf = await answer(session, session.finished(), "best")
        except TooLong as error:
            _LOG.warning("%s. It stays unanswered", error)
            leaf = ROOT
        right = leaf != ROOT and (await session.correct([leaf]))[0]
        ended[id(session)] = _ended(session, leaf, right, config, engines)
        progress.end(session, right)

    def tick() -> None:
        if show is not None:
            show(progress)

    start = time.monotonic()
    run(run_sessions(sessions, one, shared=budget.shared, tick=tick))
    tick()
    trees, records = zip(*(ended[id(session)] for session in sessions), strict=True)
    lines = [orjson.dumps(record.model_dump(mode="json"), option=orjson.OPT_APPEND_NEWLINE) for record in records]
    with busy("writing the trees"):
        write_whole(out.with_name(COSTS), b"".join(lines))  # first, so that where there are trees there are costs
        write_trees(out, trees)
    return SearchResult(
        benchmark=benchmark,
        strategy=config.name,
        accuracy=mean([float(progress.right[id(session)]) for session in sessions]),
        unanswered=sum(tree.meta["chosen"] == str(ROOT) for tree in trees),
        exhausted=sum(session.exhausted for session in sessions),
        too_long=sum(session.ledger.too_long > 0 for session in sessions),
        seconds=time.monotonic() - start,
        ledger=total([session.ledger for session in sessions]),
        grading=engines.grading,
        isolation=isolation_of(problems),
        prompt=engines.text.begin(problems[0]).text,
    )


def check(problems: Sequence[Problem]) -> None:
    """Refuse what could not be judged at the end, before anything is spent on it.

    Raises:
        InputError: no problem, two of one id, or one without an answer or tests.
    """
    if not problems:
        raise InputError("no problem to search", expected="at least one")
    seen: set[str] = set()
    for problem in problems:
        if problem.id in seen:
            raise InputError("two problems have one id", got=problem.id, expected="unique ids")
        seen.add(problem.id)
        if problem.domain == "math" and not (problem.answer or "").strip():
            raise InputError("the problem has no answer to be graded by", where=problem.id, cure="Remove the row.")
        if problem.domain == "code" and not problem.tests and problem.check is None:
            raise InputError("the problem has no test to be graded by", where=problem.id, cure="Remove the row.")


def check_gold_answers(problems: Sequence[Problem], grading: GradingConfig) -> None:
    """Refuse gold answers that do not parse, before anything is spent on them. Plain numbers take no time.

    Raises:
        InputError: with the id of the problem, there is one.
    """
    with busy("checking the gold answers") as activity:
        for number, problem in enumerate(problems):
            activity.share = number / len(problems)
            if problem.domain == "math":
                grader_for("math", grading).correct(problem, [])


def _ended(
    session: Session, leaf: int, right: bool, config: StrategyConfig, engines: Engines
) -> tuple[StepTree, ProblemCost]:
    """The tree as it is saved, and the record of its costs, in which leaves have the numbers of that tree."""
    tree, new = session.end()
    tree.meta |= {
        "strategy": config.name,
        "aggregation": engines.aggregation,
        "chosen": str(new[leaf]),
        "generations": str(session.ledger.generations),
        "exhausted": str(session.exhausted).lower(),
    }
    return tree, ProblemCost(
        problem=tree.problem.id,
        right=right,
        exhausted=session.exhausted,
        ledger=session.ledger,
        parts=[[new[node] for node in part] for part in session.parts()],
        checkpoints=[
            CheckpointCost(leaves=[new[node] for node in checkpoint.leaves], **checkpoint.costs)
            for checkpoint in session.checkpoints
        ],
        **costs(session.ledger, session.allowance.elapsed),
    )
