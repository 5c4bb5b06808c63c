"""The first error of each solution by binary search: rollouts at log2 of its steps in place of all of them."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from prmkit.annotate.rollouts import RolloutShare, cut_off, gradable, implied, share_of
from prmkit.session import Session
from prmkit.tree import ROOT, StepTree


class BinarySearchConfig(BaseModel):
    """Binary search for first errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rollouts: int = Field(8, ge=1, description="completions drawn from each step that is tried")
    threshold: float = Field(
        0.0, ge=0.0, lt=1.0, description="a step is correct if the share of successes is above this"
    )


class Evidence:
    """What is known of the steps of a tree: a success below a step proves all steps before it.

    ``shares`` holds the measured steps. Bounds on a path shrink as shares come in, whichever solution asked for them.
    Nothing below a wrong step is ever tried, so that no later success can contradict it.
    """

    def __init__(self, tree: StepTree, threshold: float) -> None:
        self.tree = tree
        self.threshold = threshold
        self.shares: dict[int, RolloutShare] = {}
        self.good: set[int] = {ROOT}
        self.bad: set[int] = set()

    def add(self, node: int, share: RolloutShare) -> None:
        """Take in the share of a step."""
        self.shares[node] = share
        if share.value > self.threshold:
            self.good.update(self.tree.path(node))
        else:
            self.bad.add(node)

    def bounds(self, path: Sequence[int]) -> tuple[int, int]:
        """(low, high): steps before ``low`` are right, and step ``high`` is wrong (the length: none is known to be).

        They meet at the first error.
        """
        low = max((place + 1 for place, node in enumerate(path) if node in self.good), default=0)
        high = next((place for place in range(low, len(path)) if path[place] in self.bad), len(path))
        return low, high


async def binary_search(session: Session, config: BinarySearchConfig) -> None:
    """Label each solution's steps as right up to the first error, and that one as wrong; later ones stay unlabelled.

    What is found for one solution holds for all that share its steps: a step is tried at most once, and none on the way
    to a right answer is tried at all. Solutions are searched one after another, so that what is asked never depends on
    the order in which replies come. A step that a limit cut in two stays unlabelled. Without noise the first errors are
    those of hard Monte Carlo labels.

    Source: the paper, section 2.1; Luo et al. 2024, arXiv 2406.06592, section 3.2.
    """
    tree = session.tree
    if not gradable(tree.problem):
        return
    evidence = Evidence(tree, config.threshold)
    leaves = tree.leaves()
    ended = [leaf for leaf in leaves if tree.finished(leaf)]
    for leaf, right in zip(ended, await session.correct(ended), strict=True):
        evidence.add(leaf, RolloutShare(successes=int(right), rollouts=1))
    paths = [[node for node in tree.path(leaf) if not cut_off(tree, node)] for leaf in leaves]
    for path in paths:
        await _settle(session, evidence, path, config.rollouts)
    for path in paths:
        _label(tree, evidence, path)


async def _settle(session: Session, evidence: Evidence, path: Sequence[int], rollouts: int) -> None:
    low, high = evidence.bounds(path)
    while low < high:
        node = path[(low + high) // 2]
        evidence.add(node, await share_of(session, node, rollouts))
        low, high = evidence.bounds(path)


def _label(tree: StepTree, evidence: Evidence, path: Sequence[int]) -> None:
    first, _ = evidence.bounds(path)
    for place, node in enumerate(path[: first + 1]):
        share = evidence.shares.get(node)
        label = (
            share.label(hard=True, threshold=evidence.threshold) if share is not None else implied(float(place < first))
        )
        tree.set_label(node, label)
