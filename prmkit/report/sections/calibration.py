"""Calibration: whether a score of 0.8 is right eight times in ten, overall and by the position of a step."""

import math
from collections.abc import Iterator, Sequence

from prmkit.evaluate.calibration import Calibration
from prmkit.evaluate.evaluation import EvaluationResult
from prmkit.evaluate.labelled import StepsResult
from prmkit.report.blocks import Axis, Block, Figure, Heading, Prose, Section, Series, Table, histogram
from prmkit.report.estimates import with_error
from prmkit.report.read import Run, single
from prmkit.score.aggregate import Aggregation, aggregate
from prmkit.tree import StepTree

_BINS = 20


def calibration(runs: Sequence[Run]) -> Section:
    """Of solution scores where a search was evaluated, of step scores where a PRM was."""
    blocks: list[Block] = []
    for run in single(runs):
        if run.evaluation is not None and run.evaluation.calibration is not None:
            blocks += [Heading(run.title), *_of(run, "the final score of a solution", run.evaluation.calibration)]
            blocks += _separation(run, run.evaluation)
        elif isinstance(run.result, StepsResult):
            blocks += [Heading(run.title), *_of(run, "the score of a step", run.result.calibration)]
    return Section("Calibration", blocks)


def _of(run: Run, what: str, found: Calibration) -> Iterator[Block]:
    bins = found.reliability
    error = f"Brier score {with_error(found.brier)}, expected calibration error {found.ece:.3f}"
    yield Prose([f"Of {what}: {error}."])
    yield Figure(
        title=f"Reliability, {run.name}",
        caption="On the dashed line, a score is the share of right ones; errors are binomial.",
        x=Axis(title="mean score", range=(0.0, 1.0)),
        y=Axis(title="share", range=(0.0, 1.0)),
        series=[
            Series(name="perfect", x=[0.0, 1.0], y=[0.0, 1.0], reference=True),
            Series(
                name="share of right ones",
                x=[b.score for b in bins],
                y=[b.right for b in bins],
                stderr=[math.sqrt(b.right * (1 - b.right) / b.steps) for b in bins],
            ),
            Series(
                name="share of all",
                x=[(b.low + b.high) / 2 for b in bins],
                y=[b.steps / sum(b.steps for b in bins) for b in bins],
                kind="bars",
            ),
        ],
    )
    positions = found.by_position
    if len(positions) > 1:
        names = [row.position for row in positions]
        yield Figure(
            title=f"Scores by position of the step, {run.name}",
            caption="Steps at the same position of their solutions: mean score, and share of right ones.",
            x=Axis(title="position"),
            y=Axis(title="share", range=(0.0, 1.0)),
            series=[
                Series(name="mean score", x=names, y=[row.score for row in positions]),
                Series(name="share of right ones", x=names, y=[row.right for row in positions]),
            ],
        )
        yield Table(
            title="By position of the step",
            columns=("position", "steps", "mean score", "right", "Brier score", "calibration error"),
            rows=[
                (row.position, row.steps, *(f"{value:.3f}" for value in (row.score, row.right, row.brier, row.ece)))
                for row in positions
            ],
        )


def _separation(run: Run, found: EvaluationResult) -> Iterator[Block]:
    """How the final scores of right and of wrong solutions are spread."""
    spread: dict[bool, list[float]] = {True: [], False: []}
    for tree in run.trees:
        for leaf, right in zip(tree.leaves(), found.correct.get(tree.problem.id, ()), strict=False):
            score = _final(tree, leaf, found.aggregation)
            if score is not None:
                spread[bool(right)].append(score)
    if spread[True] and spread[False]:
        yield Figure(
            title=f"Scores of right and wrong solutions, {run.name}",
            caption="Finished solutions by their final score.",
            x=Axis(title="final score", range=(0.0, 1.0)),
            y=Axis(title="solutions"),
            series=[histogram("right", spread[True], _BINS), histogram("wrong", spread[False], _BINS)],
        )


def _final(tree: StepTree, leaf: int, how: Aggregation) -> float | None:
    """The aggregated score of a finished solution; None where it is not finished, or a step that is read has none."""
    scores = [tree.nodes[node].score for node in tree.read_path(leaf)]
    if not tree.finished(leaf) or not scores or None in scores:
        return None
    return aggregate([score for score in scores if score is not None], how)
