"""What a PRM says of steps that think again (the paper's Figure 6), over all solutions of a search."""

from collections.abc import Iterator, Sequence
from typing import Any

from prmkit.errors import InputError
from prmkit.evaluate.trees import samples_of
from prmkit.grade.config import DEFAULT
from prmkit.similarity.statistics.texts import RETHINKING
from prmkit.stats import clustered_mean, mean
from prmkit.tree import StepTree


def rethinking(trees: Sequence[StepTree]) -> dict[str, Any]:
    """Step scores of steps with a marker of rethinking ("wait", "however", ...), and of the others; as JSON.

    ``scores``: the mean score of ``rethinking`` steps, of the steps ``before`` one and of the ``other`` steps, with
    errors clustered by problem. ``differences``: ``rethinking - before``, paired within a solution; and ``rethinking -
    other``, the difference of both means within a problem, over problems that have both. ``right``: the share of right
    solutions ``with`` a marker and ``without``. ``example``: the right solution whose rethinking step rises most over
    the step before, as {step, score, rethinks} for each step. None stands for what there is not one of.

    Args:
        trees: of a search whose every step was scored.

    Raises:
        InputError: no step has a score.
    """
    if not any(node.score is not None for tree in trees for node in tree):
        raise InputError("no step has a score", expected="a search with a PRM")
    scores: dict[str, list[tuple[float, str]]] = {"rethinking": [], "before": [], "other": []}
    rises: list[tuple[float, str]] = []
    within: list[float] = []
    for tree in trees:
        kinds = list(_scored(tree))
        for kind, score in kinds:
            scores[kind].append((score, tree.problem.id))
        rises += [(after - before, tree.problem.id) for before, after, _ in _rises(tree)]
        means = [[score for kind, score in kinds if (kind == "rethinking") == wanted] for wanted in (True, False)]
        if all(means):
            within.append(sum(means[0]) / len(means[0]) - sum(means[1]) / len(means[1]))
    return {
        "scores": {kind: _mean(found) for kind, found in scores.items()},
        "differences": {
            "rethinking - before": _mean(rises),
            "rethinking - other": mean(within).as_dict() if within else None,
        },
        "right": _right(trees),
        "example": _example(trees),
    }


def _thinks_again(text: str) -> bool:
    return RETHINKING.search(text) is not None


def _scored(tree: StepTree) -> Iterator[tuple[str, float]]:
    """Each scored step once, with its kind."""
    before = {node.parent for node in tree if _thinks_again(node.text)}
    for index, node in enumerate(tree):
        if node.score is not None:
            kind = "rethinking" if _thinks_again(node.text) else "before" if index in before else "other"
            yield kind, node.score


def _rises(tree: StepTree) -> Iterator[tuple[float, float, int]]:
    """The scores before and at each rethinking step that follows another, and the step."""
    for index, node in enumerate(tree):
        if node.parent >= 0 and _thinks_again(node.text):
            before = tree.nodes[node.parent].score
            if before is not None and node.score is not None:
                yield before, node.score, index


def _right(trees: Sequence[StepTree]) -> dict[str, Any]:
    found: dict[bool, list[tuple[float, str]]] = {True: [], False: []}
    for tree in trees:
        verdicts = samples_of(tree, None, DEFAULT).correct
        for leaf, right in zip(tree.leaves(), verdicts, strict=False):
            if tree.finished(leaf):
                found[any(map(_thinks_again, tree.steps(leaf)))].append((float(right), tree.problem.id))
    return {"with": _mean(found[True]), "without": _mean(found[False])}


def _example(trees: Sequence[StepTree]) -> list[dict[str, Any]] | None:
    best: tuple[float, StepTree, int] | None = None
    for tree in trees:
        right = dict(zip(tree.leaves(), samples_of(tree, None, DEFAULT).correct, strict=False))
        for before, after, node in _rises(tree):
            for leaf in right:
                known = best is not None and after - before <= best[0]
                if right[leaf] and tree.finished(leaf) and node in tree.path(leaf) and not known:
                    best = after - before, tree, leaf
    if best is None:
        return None
    _, tree, leaf = best
    nodes = [tree.nodes[node] for node in tree.path(leaf)]
    return [{"step": node.text, "score": node.score, "rethinks": _thinks_again(node.text)} for node in nodes]


def _mean(found: Sequence[tuple[float, str]]) -> dict[str, Any] | None:
    return clustered_mean([value for value, _ in found], [problem for _, problem in found]).as_dict() if found else None
