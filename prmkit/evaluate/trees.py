"""Evaluation of a search run from its trees: every number is a recomputation, nothing is sampled again."""

from collections.abc import Callable, Sequence
from typing import Any

from prmkit.errors import InputError
from prmkit.evaluate.judging import groups_of, judge, judgeable, judged_in_threads, nobody_watches
from prmkit.evaluate.samples import evaluate_samples
from prmkit.evaluate.selection import Samples
from prmkit.grade import isolation_of
from prmkit.grade.config import DEFAULT, GradingConfig
from prmkit.score.aggregate import Aggregation, aggregate
from prmkit.tree import StepTree


def evaluate_trees(
    trees: Sequence[StepTree],
    aggregation: Aggregation | None = None,
    grading: GradingConfig = DEFAULT,
    *,
    watch: Callable[[int], None] = nobody_watches,
) -> dict[str, Any]:
    """What a search run found, as JSON: evaluate_samples' figures, and what they rest on.

    Besides: ``aggregation``; ``unsupported`` {problem id: why this machine cannot judge it}, problems that are in no
    other figure; ``isolation``, the walls around the programs that were run. ``prm@k`` and the AUC are left out where
    the search used no PRM.

    Args:
        trees: of one search run.
        aggregation: of step scores; by default the one that the search used.
        grading: how solutions are judged.
        watch: told as each problem is judged.

    Raises:
        InputError: there is no tree, or none that can be judged, or some solutions have scores and others have none.
    """
    if not trees:
        raise InputError("no tree to evaluate", expected="at least one")
    how = aggregation or _used(trees)
    scored = any(node.score is not None for tree in trees for node in tree)
    kept, unsupported = judgeable(trees, lambda tree: tree.problem, grading)
    problems = judged_in_threads(lambda tree: samples_of(tree, how if scored else None, grading), kept, watch)
    result = {
        "aggregation": how,
        **evaluate_samples(problems, scored=scored),
        **isolation_of([tree.problem for tree in kept]),
    }
    return result | ({"unsupported": unsupported} if unsupported else {})


def samples_of(tree: StepTree, aggregation: Aggregation | None, grading: GradingConfig = DEFAULT) -> Samples:
    """The solutions of a tree as the samples of its problem, in the order they were written.

    An unfinished solution, or one of which the policy wrote nothing, has no vote, is never right, and scores 0, the
    least there is. Without an aggregation every score is 0.

    Raises:
        InputError: a finished solution has steps without a score.
    """
    leaves = tree.leaves()
    finished = [leaf for leaf in leaves if tree.finished(leaf)]
    found = judge(tree.problem, ["\n".join(tree.steps(leaf)) for leaf in finished], grading)
    classes = dict(zip(finished, found.classes, strict=True))
    correct = dict(zip(finished, found.correct, strict=True))
    scores = {leaf: solution_score(tree, leaf, aggregation) for leaf in finished} if aggregation else {}
    unwritten = max(0, int(tree.meta.get("generations", 0)) - len(leaves))
    return Samples(
        problem_id=tree.problem.id,
        scores=(*(scores.get(leaf, 0.0) for leaf in leaves), *[0.0] * unwritten),
        classes=(*(classes.get(leaf) for leaf in leaves), *[None] * unwritten),
        correct=(*(correct.get(leaf, False) for leaf in leaves), *[False] * unwritten),
        groups=groups_of(tree.problem),
    )


def solution_score(tree: StepTree, leaf: int, aggregation: Aggregation) -> float:
    """The aggregated score of the solution that ends in ``leaf``. Raises InputError if one of its steps has none."""
    path = tree.path(leaf)
    scores = [score for node in path if (score := tree.nodes[node].score) is not None]
    if len(scores) != len(path):
        raise InputError("a step has no score", where=tree.problem.id, got=leaf, cure="Search with a PRM.")
    return aggregate(scores, aggregation)


def _used(trees: Sequence[StepTree]) -> Aggregation:
    named = {tree.meta.get("aggregation", "last") for tree in trees}
    if len(named) > 1:
        raise InputError("the trees come from searches with different aggregations", got=sorted(named))
    return named.pop()  # type: ignore[return-value]  # written by search, which validated it
