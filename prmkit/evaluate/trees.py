"""Evaluation of a search run from its trees: every number is a recomputation, nothing is sampled again."""

from collections.abc import Sequence
from typing import Any

from prmkit.errors import InputError
from prmkit.evaluate.selection import Samples, selection_table, within_problem_auc
from prmkit.grade import grader_for
from prmkit.score.aggregate import Aggregation, aggregate
from prmkit.tree import StepTree


def samples_of(tree: StepTree, aggregation: Aggregation) -> Samples:
    """The solutions of a tree as the samples of its problem, in the order they were written.

    An unfinished solution has no vote, is never right, and scores 0 (below every finished one that was scored).

    Raises:
        InputError: a finished solution has steps without a score.
    """
    leaves = tree.leaves()
    finished = [leaf for leaf in leaves if tree.finished(leaf)]
    grader = grader_for(tree.problem.domain)
    answers = grader.answers(tree.problem, ["\n".join(tree.steps(leaf)) for leaf in finished])
    classes = dict(zip(finished, grader.classes(tree.problem, answers), strict=True))
    correct = dict(zip(finished, grader.correct(tree.problem, answers), strict=True))
    return Samples(
        problem_id=tree.problem.id,
        scores=tuple(_score(tree, leaf, aggregation) if leaf in correct else 0.0 for leaf in leaves),
        classes=tuple(classes.get(leaf) for leaf in leaves),
        correct=tuple(correct.get(leaf, False) for leaf in leaves),
    )


def _score(tree: StepTree, leaf: int, aggregation: Aggregation) -> float:
    scores = [score for node in tree.path(leaf) if (score := tree.nodes[node].score) is not None]
    if len(scores) != len(tree.path(leaf)):
        raise InputError(
            "a step has no score", where=tree.problem.id, got=leaf, cure="Search with a PRM, or score first."
        )
    return aggregate(scores, aggregation)
