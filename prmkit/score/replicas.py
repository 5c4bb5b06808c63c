"""Copies of a scorer on a Ray cluster."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from prmkit.generate.config import LocalEngine
from prmkit.generate.replicas import Replicas, at_home
from prmkit.models.foreign.adapters import PrmText, read_prm
from prmkit.score import PrmConfig, Scores, load_engine
from prmkit.tree import StepTree


class ReplicatedScorer:
    """A scorer in many copies; all steps of a problem go to the same one, so that each is still read once."""

    def __init__(self, replicas: Replicas, text: PrmText) -> None:
        self._replicas = replicas
        self._text = text

    def fits(self, tree: StepTree, node: int) -> bool:
        """See Scorer.fits."""
        return len(self._text.encoder.path_ids(tree.problem, tree.steps(node))[0]) <= self._text.context

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        """See Scorer.score."""
        scores: Scores = await self._replicas.call(tree.problem.id, "score", tree, tuple(nodes))
        return scores


def replicated_scorer(config: PrmConfig) -> tuple[ReplicatedScorer, str]:
    """The PRM of a recipe on a Ray cluster, and where its labels came from.

    Raises:
        InputError: the checkpoint, the engine or its options are wrong.
        RunError: no copy started.
    """
    assert isinstance(config.engine, LocalEngine)
    assert config.checkpoint is not None
    text = read_prm(config.checkpoint, config.adapter)
    replicas = Replicas(config.engine, partial(_build_scorer, at_home(config)))
    return ReplicatedScorer(replicas, text), text.label_source


def _build_scorer(config: PrmConfig) -> Any:
    return load_engine(config)[0]
