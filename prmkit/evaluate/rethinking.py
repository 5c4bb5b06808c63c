"""What a PRM says of steps that think again (the paper's Figure 6), over all solutions of a search."""

from collections.abc import Iterator, Sequence

from pydantic import Field

from prmkit.errors import InputError
from prmkit.evaluate.solutions import Solutions
from prmkit.grade.config import GradingConfig
from prmkit.run.results import Figures, Result
from prmkit.similarity.statistics.texts import RETHINKING
from prmkit.stats import Estimate, clustered_mean, mean
from prmkit.tree import ROOT, StepTree


class KindScores(Figures):
    """Mean scores of steps that think again, of the steps just before one, and of the others, clustered by problem."""

    rethinking: Estimate | None
    before: Estimate | None
    other: Estimate | None


class KindDifferences(Figures):
    """What thinking again changes.

    Attributes:
        before: ``rethinking - before``: the score of such a step less that of the step before, within a solution.
        other: ``rethinking - other``: the difference of both means within a problem, over problems that have both.
    """

    before: Estimate | None = Field(alias="rethinking - before")
    other: Estimate | None = Field(alias="rethinking - other")


class RightShares(Figures):
    """The share of right solutions with such a step, and without."""

    with_: Estimate | None = Field(alias="with")
    without: Estimate | None


class ExampleStep(Figures):
    """A step of the example, its score, and whether it thinks again."""

    step: str
    score: float | None
    rethinks: bool


class RethinkingFigures(Figures):
    """What a PRM says of steps that think again; None stands for what there is not one of.

    Attributes:
        scores: of steps by kind.
        differences: within solutions and problems.
        right: solutions.
        example: the right solution whose rethinking step rises most over the step before.
    """

    scores: KindScores
    differences: KindDifferences
    right: RightShares
    example: list[ExampleStep] | None


class RethinkingResult(RethinkingFigures, Result):
    """The same, and how solutions were judged."""

    kind = "rethinking"

    grading: GradingConfig


def refuse_unscored(trees: Sequence[StepTree]) -> None:
    """Raises InputError unless some step has a score."""
    if not any(node.score is not None for tree in trees for node in tree):
        raise InputError("no step has a score", expected="a search with a PRM")


def rethinking(trees: Sequence[StepTree], judged: Sequence[Solutions]) -> RethinkingFigures:
    """Step scores of steps with a marker of rethinking ("wait", "however", ...), and of the others.

    Args:
        trees: of a search whose every step was scored.
        judged: the solutions of each tree.

    Raises:
        InputError: no step has a score.
    """
    refuse_unscored(trees)
    scores: dict[str, list[tuple[float, str]]] = {"rethinking": [], "before": [], "other": []}
    rises: list[tuple[float, str]] = []
    within: list[float] = []
    marked = [[_thinks_again(node.text) for node in tree] for tree in trees]
    for tree, rethinks in zip(trees, marked, strict=True):
        kinds = list(_scored(tree, rethinks))
        for kind, score in kinds:
            scores[kind].append((score, tree.problem.id))
        rises += [(after - before, tree.problem.id) for before, after, _ in _rises(tree, rethinks)]
        means = [[score for kind, score in kinds if (kind == "rethinking") == wanted] for wanted in (True, False)]
        if all(means):
            within.append(sum(means[0]) / len(means[0]) - sum(means[1]) / len(means[1]))
    return RethinkingFigures(
        scores=KindScores(**{kind: _mean(found) for kind, found in scores.items()}),
        differences=KindDifferences(before=_mean(rises), other=mean(within) if within else None),
        right=_right(trees, marked, judged),
        example=_example(trees, marked, judged),
    )


def _thinks_again(text: str) -> bool:
    return RETHINKING.search(text) is not None


def _scored(tree: StepTree, rethinks: Sequence[bool]) -> Iterator[tuple[str, float]]:
    """Each scored step once, with its kind."""
    before = {node.parent for index, node in enumerate(tree) if rethinks[index]}
    for index, node in enumerate(tree):
        if node.score is not None:
            kind = "rethinking" if rethinks[index] else "before" if index in before else "other"
            yield kind, node.score


def _rises(tree: StepTree, rethinks: Sequence[bool]) -> Iterator[tuple[float, float, int]]:
    """The scores before and at each rethinking step that follows another, and the step."""
    for index, node in enumerate(tree):
        if node.parent >= 0 and rethinks[index]:
            before = tree.nodes[node.parent].score
            if before is not None and node.score is not None:
                yield before, node.score, index


def _right(trees: Sequence[StepTree], marked: Sequence[Sequence[bool]], judged: Sequence[Solutions]) -> RightShares:
    found: dict[bool, list[tuple[float, str]]] = {True: [], False: []}
    for tree, rethinks, solutions in zip(trees, marked, judged, strict=True):
        for each in solutions.finished:
            thought_again = any(rethinks[node] for node in tree.path(each.leaf))
            found[thought_again].append((float(each.right), tree.problem.id))
    return RightShares(with_=_mean(found[True]), without=_mean(found[False]))


def _example(
    trees: Sequence[StepTree], marked: Sequence[Sequence[bool]], judged: Sequence[Solutions]
) -> list[ExampleStep] | None:
    best: tuple[float, StepTree, int] | None = None
    for tree, rethinks, solutions in zip(trees, marked, judged, strict=True):
        below = _first_below(tree, [each.leaf for each in solutions.finished if each.right])
        for before, after, node in _rises(tree, rethinks):
            if node in below and (best is None or after - before > best[0]):
                best = after - before, tree, below[node]
    if best is None:
        return None
    _, tree, leaf = best
    nodes = [tree.nodes[node] for node in tree.path(leaf)]
    return [ExampleStep(step=each.text, score=each.score, rethinks=_thinks_again(each.text)) for each in nodes]


def _first_below(tree: StepTree, leaves: Sequence[int]) -> dict[int, int]:
    """Of each step on the way to one of these leaves, the first of them that it leads to."""
    found: dict[int, int] = {}
    for leaf in leaves:
        node = leaf
        while node != ROOT and node not in found:
            found[node] = leaf
            node = tree.nodes[node].parent
    return found


def _mean(found: Sequence[tuple[float, str]]) -> Estimate | None:
    return clustered_mean([value for value, _ in found], [problem for _, problem in found]) if found else None
