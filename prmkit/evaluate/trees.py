"""Evaluation of a search run from its trees: every number is a recomputation, nothing is sampled again."""

from collections.abc import Sequence
from typing import Any

from prmkit.errors import InputError
from prmkit.evaluate.selection import Samples, maj_at_k, pass_at_k, prm_at_k, selection_table, within_problem_auc
from prmkit.grade import grader_for
from prmkit.score.aggregate import Aggregation, aggregate
from prmkit.stats import paired_difference
from prmkit.tree import StepTree


def evaluate_trees(trees: Sequence[StepTree], aggregation: Aggregation | None = None) -> dict[str, Any]:
    """What a search run found, as JSON: selection rules at 1, 2, 4, ... samples, and how they differ at the most.

    Keys: ``problems``; ``aggregation``; ``selection`` {"pass@1": {value, stderr, n}, "maj@8": ..., "prm@8": ...};
    ``differences`` paired over problems; ``within_problem_auc``; ``correct`` {problem id: verdict of each solution}.
    ``prm@k`` and the AUC are left out where the search used no PRM.

    Args:
        trees: of one search run.
        aggregation: of step scores; by default the one that the search used.

    Raises:
        InputError: there is no tree, or some solutions have scores and others have none.
    """
    if not trees:
        raise InputError("no tree to evaluate", expected="at least one")
    how = aggregation or _used(trees)
    scored = any(node.score is not None for tree in trees for node in tree)
    problems = [samples_of(tree, how if scored else None) for tree in trees]
    most = min(len(samples.correct) for samples in problems)
    powers = [1 << exponent for exponent in range(most.bit_length()) if 1 << exponent <= most]
    table = selection_table(problems, sorted({*powers, most}))
    first = [pass_at_k(one.correct, 1) for one in problems]
    vote = [maj_at_k(one.classes, one.correct, most) for one in problems]
    result: dict[str, Any] = {
        "problems": len(problems),
        "aggregation": how,
        "selection": {name: found.as_dict() for name, found in table.items() if scored or not name.startswith("prm")},
        "differences": {f"maj@{most} - pass@1": paired_difference(vote, first).as_dict()},
        "correct": {one.problem_id: list(one.correct) for one in problems},
    }
    if scored:
        best = [prm_at_k(one.scores, one.correct, most) for one in problems]
        result["differences"] |= {
            f"prm@{most} - pass@1": paired_difference(best, first).as_dict(),
            f"prm@{most} - maj@{most}": paired_difference(best, vote).as_dict(),
        }
        result["within_problem_auc"] = within_problem_auc(problems).as_dict()
    return result


def samples_of(tree: StepTree, aggregation: Aggregation | None) -> Samples:
    """The solutions of a tree as the samples of its problem, in the order they were written.

    An unfinished solution, or one of which the policy wrote nothing, has no vote, is never right, and scores 0, the
    least there is. Without an aggregation every score is 0.

    Raises:
        InputError: a finished solution has steps without a score.
    """
    leaves = tree.leaves()
    finished = [leaf for leaf in leaves if tree.finished(leaf)]
    grader = grader_for(tree.problem.domain)
    answers = grader.answers(tree.problem, ["\n".join(tree.steps(leaf)) for leaf in finished])
    classes = dict(zip(finished, grader.classes(tree.problem, answers), strict=True))
    correct = dict(zip(finished, grader.correct(tree.problem, answers), strict=True))
    scores = {leaf: solution_score(tree, leaf, aggregation) for leaf in finished} if aggregation else {}
    unwritten = max(0, int(tree.meta.get("generations", 0)) - len(leaves))
    return Samples(
        problem_id=tree.problem.id,
        scores=(*(scores.get(leaf, 0.0) for leaf in leaves), *[0.0] * unwritten),
        classes=(*(classes.get(leaf) for leaf in leaves), *[None] * unwritten),
        correct=(*(correct.get(leaf, False) for leaf in leaves), *[False] * unwritten),
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
