"""Annotation of a corpus: one label estimator on all problems at once, to a file of labelled trees."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prmkit.annotate import ESTIMATORS
from prmkit.annotate.monte_carlo import MonteCarloConfig
from prmkit.errors import InputError
from prmkit.session import Engines, Session
from prmkit.session.ledger import Ledger
from prmkit.session.run import run_sessions
from prmkit.tree import StepTree
from prmkit.trees_io import write_trees


def annotate(
    trees: Sequence[StepTree],
    engines: Engines,
    estimator: str,
    config: MonteCarloConfig,
    out: Path,
    *,
    done: Callable[[Session], None] = lambda session: None,
) -> dict[str, Any]:
    """Label every tree, write them to ``out`` in their order, and return the run's metrics.

    A tree without steps gets its solutions from the policy. Metrics: numbers of ``problems``, ``steps`` and
    ``labelled`` steps, ``mean_label``, ``seconds`` and the summed ``ledger``.

    Raises:
        InputError: unknown estimator, no tree.
    """
    if not trees:
        raise InputError("no problem to annotate", expected="at least one")
    estimate = ESTIMATORS.load(estimator)
    sessions = [Session(tree, engines) for tree in trees]
    start = time.monotonic()
    asyncio.run(run_sessions(sessions, lambda session: estimate(session, config), done=done))
    # A problem for which the policy wrote nothing at all has no step to learn from.
    annotated = [session.tree for session in sessions if session.tree.nodes]
    write_trees(out, annotated)
    ledger = Ledger()
    for session in sessions:
        ledger.add(session.ledger)
    labels = [node.label.value for tree in annotated for node in tree if node.label is not None]
    return {
        "problems": len(trees),
        "trees": len(annotated),
        "steps": sum(len(tree) for tree in annotated),
        "labelled": len(labels),
        "mean_label": sum(labels) / len(labels) if labels else None,
        "seconds": time.monotonic() - start,
        "ledger": ledger.as_dict(),
    }
