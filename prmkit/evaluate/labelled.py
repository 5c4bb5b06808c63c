"""Evaluation of a PRM on solutions whose steps are labelled: does it find the first wrong one?"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prmkit.errors import InputError
from prmkit.evaluate.step_errors import (
    best_threshold,
    first_error_f1,
    first_error_of_labels,
    predicted_first_error,
    step_auc,
)
from prmkit.score import Scorer
from prmkit.tree import StepTree

_CONCURRENT = 512
"""Trees that wait for the scorer at once: enough to fill its batches, few enough to show progress."""


def score_trees(
    trees: Sequence[StepTree], scorer: Scorer, *, done: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Give every step its PRM score, but for those beyond the PRM's context, which keep none.

    ``done`` is called as each tree is scored. Returns ``steps`` scored, ``unscored`` ones, ``tokens`` computed and
    ``seconds``.
    """
    tokens = 0

    async def one(tree: StepTree, room: asyncio.Semaphore) -> None:
        nonlocal tokens
        async with room:
            nodes = [node for node in range(len(tree)) if scorer.fits(tree, node)]
            scores = await scorer.score(tree, nodes)
        for node, value in zip(nodes, scores.values, strict=True):
            tree.set_score(node, value)
        tokens += scores.tokens
        done()

    async def every() -> None:
        room = asyncio.Semaphore(_CONCURRENT)
        async with asyncio.TaskGroup() as group:
            for tree in trees:
                group.create_task(one(tree, room))

    start = time.monotonic()
    try:
        asyncio.run(every())
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    unscored = sum(node.score is None for tree in trees for node in tree)
    return {
        "steps": sum(map(len, trees)) - unscored,
        "unscored": unscored,
        "tokens": tokens,
        "seconds": time.monotonic() - start,
    }


def evaluate_labelled(trees: Iterable[StepTree], threshold: float) -> dict[str, Any]:
    """How well step scores find first errors, as JSON. A solution is a root-to-leaf path with a label.

    Keys: ``solutions``; ``cut`` (how many have steps without a score, which count as right: the PRM did not read them);
    ``threshold``; ``erroneous``, ``correct`` and ``f1``, the official ProcessBench figures at the threshold;
    ``step_auc`` over labelled and scored steps; ``best`` {threshold, f1}, chosen on these very solutions and so too
    good to report as a result.

    Raises:
        InputError: there is no labelled solution, or none with or none without an error.
    """
    scores, labels, cut = [], [], 0
    read_labels = []
    for tree in trees:
        for leaf in tree.leaves():
            path = [tree.nodes[node] for node in tree.path(leaf)]
            if all(node.label is None for node in path):
                continue
            cut += any(node.score is None for node in path)
            scores.append([1.0 if node.score is None else node.score for node in path])
            labels.append([node.label.value if node.label is not None else None for node in path])
            read_labels.append(
                [node.label.value if node.label is not None and node.score is not None else None for node in path]
            )
    if not scores:
        raise InputError("no solution has a label", expected="labelled trees")
    truth = [first_error_of_labels(values) for values in labels]
    report = first_error_f1([predicted_first_error(row, threshold) for row in scores], truth)
    best = best_threshold(scores, truth, split="these solutions")
    return {
        "solutions": len(scores),
        "cut": cut,
        "threshold": threshold,
        "erroneous": report.erroneous.as_dict(),
        "correct": report.correct.as_dict(),
        "f1": report.f1.as_dict(),
        "step_auc": step_auc(scores, read_labels).as_dict(),
        "best": {"threshold": best.value, "f1": best.f1.as_dict()},
    }
