"""What a search found and spent: of the run, and of each problem."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from prmkit.grade.config import GradingConfig
from prmkit.run.results import Figures, Result, parsed
from prmkit.session.ledger import Ledger
from prmkit.stats import Estimate
from prmkit.trees_io import read_lines

COSTS = "costs.jsonl"
"""The file beside the trees that says what each problem cost, and when."""


class Spent(Figures):
    """What was spent, in every currency that a budget may be in; FLOPs are None where an engine cannot count them."""

    generations: int | float
    generated_tokens: int | float
    total_tokens: int | float
    flops: float | None
    seconds: float


def mean_spent(spent: Sequence[Spent], share: float = 1.0) -> dict[str, Any]:
    """A share of what was spent on a problem, on average; None in a currency that is not known of all.

    Problems are searched at once, and the last one ends when the run does: seconds are those of the run by problem.
    """
    means: dict[str, Any] = {}
    for currency in Spent.model_fields:
        values = [getattr(each, currency) for each in spent]
        means[currency] = None if None in values else share * sum(values) / len(values)
    means["seconds"] = share * max(each.seconds for each in spent) / len(spent)
    return means


class CheckpointCost(Spent):
    """How far a search was at one moment: what it had spent, and the last steps of the solutions that were new then."""

    leaves: list[int]


class ProblemCost(Spent):
    """What one problem cost.

    Attributes:
        problem: its id.
        right: whether the chosen solution is right.
        exhausted: whether the budget ended the search.
        ledger: every count of both engines.
        parts: the last steps of the solutions of each part that is independent of the others; empty where none is.
        checkpoints: of a search that could have been stopped.
    """

    problem: str
    right: bool
    exhausted: bool
    ledger: Ledger = Ledger()
    parts: list[list[int]] = Field([])
    checkpoints: list[CheckpointCost] = Field([])


class SearchResult(Result):
    """What one strategy found.

    Attributes:
        benchmark: whose problems were searched.
        strategy: by name.
        accuracy: of the chosen solutions.
        unanswered: problems without a finished solution.
        exhausted: problems that the budget ended.
        too_long: problems that fill the policy's context, and so are unanswered.
        seconds: of the whole search.
        ledger: summed over the problems.
        grading: how solutions were judged.
        isolation: the layers of the sandbox around the programs that were run; empty where none was.
        prompt: the first problem as the policy read it, special tokens spelled out.
    """

    kind = "search"

    benchmark: str
    strategy: str
    accuracy: Estimate
    unanswered: int
    exhausted: int
    too_long: int = 0
    seconds: float
    ledger: Ledger
    grading: GradingConfig = GradingConfig()
    isolation: list[str] = Field([])
    prompt: str = ""


def read_costs(trees: Path) -> list[ProblemCost]:
    """What each problem of a run cost, from the file beside its trees, in their order.

    Raises:
        InputError: there is no such file, or a line of it is no such record.
    """
    file = trees.with_name(COSTS)
    return [parsed(ProblemCost, record, f"{file}:{number}") for number, record in read_lines(file)]
