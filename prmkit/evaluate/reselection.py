"""The answers of a search chosen again, by every rule and every aggregation of step scores, from its saved trees.

Nothing is drawn or scored: it is the same finished solutions, looked at otherwise. Where a rule leaves a choice open,
the expected accuracy over the open ones counts, so no number hangs on a tie.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import get_args

from prmkit.errors import InputError
from prmkit.evaluate.solutions import Solution, Solutions
from prmkit.grade.config import GradingConfig
from prmkit.run.results import Figures, Result
from prmkit.score.aggregate import Aggregation
from prmkit.search.answer import AnswerRule, winners
from prmkit.stats import Estimate, mean


class Reselection(Figures):
    """What a strategy would have answered by this rule and aggregation; the majority has no aggregation."""

    strategy: str
    rule: AnswerRule
    aggregation: Aggregation | None
    accuracy: Estimate


class SelectionResult(Result):
    """Every rule and aggregation, of a search or of strategies side by side."""

    kind = "selection"

    selection: list[Reselection]
    grading: GradingConfig


def reselect(strategy: str, judged: Sequence[Solutions]) -> list[Reselection]:
    """The accuracy of every rule and aggregation, over the judged solutions of a strategy.

    Raises:
        InputError: there is no problem.
    """
    if not judged:
        raise InputError("nothing to select from", expected="the solutions of at least one problem")
    scored = any(each.has_score for solutions in judged for each in solutions.finished)
    return [
        Reselection(
            strategy=strategy,
            rule=rule,
            aggregation=how,
            accuracy=mean([accuracy_of(each.finished, rule, how) for each in judged]),
        )
        for rule, how in _rules(scored)
    ]


Scores = Mapping[int, float | None]
"""The score of each solution by its id()."""


def scores_of(solutions: Iterable[Solution], how: Aggregation | None) -> Scores:
    """The scores of solutions, None for one without; none for the majority."""
    return {} if how is None else {id(each): each.scored(how) for each in solutions}


def accuracy_of(
    solutions: Iterable[Solution], rule: AnswerRule, how: Aggregation | None, scores: Scores | None = None
) -> float:
    """The chance that the rule answers rightly; 0 where it has nothing to choose from.

    As in a search, solutions without scores take part only where none has any, and then they vote.

    Args:
        solutions: finished and judged.
        rule: by which one is chosen.
        how: aggregation of step scores; None for the majority.
        scores: of the solutions, and maybe of others, for who asks more than once.
    """
    every = list(solutions)
    if scores is None:
        scores = scores_of(every, how)
    taking_part = [each for each in every if scores.get(id(each)) is not None]
    if rule == "majority" or not taking_part:
        rule, taking_part = "majority", every
    values = [] if rule == "majority" else [score for each in taking_part if (score := scores[id(each)]) is not None]
    tied = winners(rule, values, [each.answer for each in taking_part])
    return sum(taking_part[index].right for index in tied) / len(tied) if tied else 0.0


def _rules(scored: bool) -> Iterator[tuple[AnswerRule, Aggregation | None]]:
    yield "majority", None
    if scored:
        for rule in ("best", "weighted"):
            for how in get_args(Aggregation):
                yield rule, how
