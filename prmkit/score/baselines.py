"""What a PRM has to beat: scores that read no step."""

from collections.abc import Sequence

from prmkit.score import PrmConfig, Scores
from prmkit.score.config import BaselineEngine, ScoreBaseline
from prmkit.score.paths import path_seed
from prmkit.tree import StepTree


class BaselineScorer:
    """Scores by lot, or by length in characters.

    ``random`` draws a number in [0, 1) for each path, fixed by the seed; ``shortest`` gives 1 / (1 + length of the
    path), ``longest`` the rest of it to 1. Under the aggregation ``last`` the two prefer short and long solutions.
    """

    def __init__(self, name: ScoreBaseline, *, seed: int = 0) -> None:
        self._name = name
        self._seed = seed

    def fits(self, tree: StepTree, node: int) -> bool:
        """See Scorer.fits."""
        return True

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        """See Scorer.score."""
        values = tuple(self._value(tree, node) for node in nodes)
        return Scores(values=values, cached_tokens=0, tokens=0, flops=0.0)

    def _value(self, tree: StepTree, node: int) -> float:
        if self._name == "random":
            return (path_seed(self._seed, tree, node) >> 10) / 2**53
        short = 1.0 / (1.0 + sum(map(len, tree.steps(node))))
        return short if self._name == "shortest" else 1.0 - short


def load_scorer(config: PrmConfig) -> tuple[BaselineScorer, str]:
    """The baseline of a recipe. It speaks of whole solutions, as Monte-Carlo labels do."""
    assert isinstance(config.engine, BaselineEngine)
    return BaselineScorer(config.engine.name, seed=config.engine.seed), "monte-carlo"
