"""Several PRMs, one score."""

from collections.abc import Sequence
from typing import Literal

from prmkit.generate import together
from prmkit.generate.meter import Meter, meter_of
from prmkit.score import EnsembleEngine, PrmConfig, Scorer, Scores
from prmkit.score import load_scorer as load_member
from prmkit.tree import StepTree

EnsembleRule = Literal["mean", "min", "majority"]


class EnsembleScorer:
    """Lets each PRM score a step and brings the scores together.

    Every PRM reads the text in its own tokens, and a long one in windows of its own. What they cost is added up, and so
    are the steps that each read in a window.

    Source: the paper, section 4.2 ("leveraging multiple PRMs to achieve consensus").

    Args:
        members: the PRMs.
        consensus: ``mean``, ``min``, or ``majority``: the share of members that score the step at ``threshold`` or
            above.
    """

    def __init__(self, members: Sequence[Scorer], *, consensus: EnsembleRule, threshold: float = 0.5) -> None:
        meters = [meter for member in members if (meter := meter_of(member)) is not None]
        self.meter = Meter(parts=meters) if len(meters) == len(members) else None
        self._members = members
        self._consensus = consensus
        self._threshold = threshold

    def fits(self, tree: StepTree, node: int) -> bool:
        """Whether the path fits every PRM."""
        return all(member.fits(tree, node) for member in self._members)

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        """See Scorer.score."""
        replies = await together(member.score(tree, nodes) for member in self._members)
        return Scores(
            values=tuple(self._agree(values) for values in zip(*(reply.values for reply in replies), strict=True)),
            cached_tokens=sum(reply.cached_tokens for reply in replies),
            tokens=sum(reply.tokens for reply in replies),
            flops=sum(reply.flops for reply in replies),
            windowed=sum(reply.windowed for reply in replies),
        )

    def _agree(self, values: Sequence[float]) -> float:
        if self._consensus == "min":
            return min(values)
        if self._consensus == "majority":
            return sum(value >= self._threshold for value in values) / len(values)
        return sum(values) / len(values)


def load_scorer(config: PrmConfig) -> tuple[EnsembleScorer, str]:
    """The PRMs of a recipe as one, and where their labels came from: the kinds of source, joined by ``+``.

    Raises:
        InputError: a member is wrong.
    """
    assert isinstance(config.engine, EnsembleEngine)
    members = [load_member(member) for member in config.engine.members]
    scorer = EnsembleScorer(
        [member for member, _ in members], consensus=config.engine.consensus, threshold=config.engine.threshold
    )
    return scorer, "+".join(sorted({source for _, source in members}))
