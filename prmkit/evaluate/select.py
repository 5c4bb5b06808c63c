"""The answers of a search chosen again, by every rule and every aggregation of step scores, from its saved trees.

Nothing is drawn or scored: it is the same finished solutions, looked at otherwise. Where a rule leaves a choice open,
the expected accuracy over the open ones counts, so no number hangs on a tie.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from prmkit.errors import InputError
from prmkit.grade import grader_for
from prmkit.score.aggregate import Aggregation, aggregate
from prmkit.search.answer import AnswerRule, winners
from prmkit.stats import mean
from prmkit.tree import StepTree


@dataclass(frozen=True, slots=True)
class Solution:
    """A finished solution: last step, step scores (none without a PRM), class of its answer, verdict."""

    leaf: int
    scores: tuple[float, ...]
    answer: int | None
    right: bool


def select(trees: Sequence[StepTree]) -> list[dict[str, Any]]:
    """A row for each rule and aggregation: ``rule``, ``aggregation``, ``accuracy, %``, ``stderr``, ``problems``.

    The majority has no aggregation.

    Raises:
        InputError: there is no tree.
    """
    if not trees:
        raise InputError("no tree to select from", expected="at least one")
    found = [solutions(tree) for tree in trees]
    rows = []
    for rule, how in _rules(any(solution.scores for each in found for solution in each)):
        accuracy = mean([100.0 * accuracy_of(each, rule, how) for each in found]).as_dict()
        rows.append(
            {
                "rule": rule,
                "aggregation": how or "",
                "accuracy, %": accuracy["value"],
                "stderr": accuracy["stderr"],
                "problems": accuracy["n"],
            }
        )
    return rows


def solutions(tree: StepTree) -> list[Solution]:
    """The finished solutions of a tree, in its order, judged once."""
    leaves = [node for node in range(len(tree)) if tree.finished(node)]
    grader = grader_for(tree.problem.domain)
    answers = grader.answers(tree.problem, ["\n".join(tree.steps(leaf)) for leaf in leaves])
    classes, verdicts = grader.classes(tree.problem, answers), grader.correct(tree.problem, answers)
    return [
        Solution(leaf, _scores(tree, leaf), label, right)
        for leaf, label, right in zip(leaves, classes, verdicts, strict=True)
    ]


def accuracy_of(found: Iterable[Solution], rule: AnswerRule, how: Aggregation | None) -> float:
    """The chance that the rule answers rightly; 0 where it has nothing to choose from.

    As in a search, solutions without scores take part only where none has any, and then they vote.
    """
    every = list(found)
    judged = [solution for solution in every if solution.scores]
    if rule == "majority" or not judged or how is None:
        rule, judged = "majority", every
    scores = [] if how is None or rule == "majority" else [aggregate(solution.scores, how) for solution in judged]
    tied = winners(rule, scores, [solution.answer for solution in judged])
    return sum(judged[index].right for index in tied) / len(tied) if tied else 0.0


def _rules(scored: bool) -> Iterator[tuple[AnswerRule, Aggregation | None]]:
    yield "majority", None
    if scored:
        for rule in ("best", "weighted"):
            for how in get_args(Aggregation):
                yield rule, how


def _scores(tree: StepTree, leaf: int) -> tuple[float, ...]:
    scores = [tree.nodes[node].score for node in tree.path(leaf)]
    return () if None in scores else tuple(score for score in scores if score is not None)
