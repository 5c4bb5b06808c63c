"""Trees of a corpus that say again what an earlier one has said."""

from dataclasses import dataclass, field

from prmkit.sources.sample import wording
from prmkit.sources.seen import Seen, digest
from prmkit.tree import StepTree


@dataclass(slots=True)
class Duplicates:
    """Tells trees that came before from new ones, in some 50 bytes a tree.

    Two trees are the same if their problems and their steps are, whatever the spaces in their texts, in whatever order
    the alternatives of a step stand, and whatever their labels: a tree says its labels' steps once. ``labels_differ``
    counts those of the ``repeated`` ones whose labels are not those of the first.
    """

    repeated: int = 0
    labels_differ: int = 0
    _seen: Seen = field(default_factory=Seen)

    def is_new(self, tree: StepTree) -> bool:
        """Whether no such tree came before."""
        said, labelled = _digests(tree)
        first = self._seen.before(said, labelled)
        if first is None:
            return True
        self.repeated += 1
        self.labels_differ += first != labelled
        return False


def _digests(tree: StepTree) -> tuple[int, int]:
    """What the tree says, and what its labels say of it: from the last steps to the problem."""
    # The last item is that of the problem, whose index as a parent is -1.
    said: list[list[str]] = [[] for _ in range(len(tree) + 1)]
    labelled: list[list[str]] = [[] for _ in range(len(tree) + 1)]
    for index in range(len(tree) - 1, -1, -1):
        node = tree.nodes[index]
        own = f"{digest(wording(node.text), str(node.thought), *sorted(said[index])):x}"
        said[node.parent].append(own)
        value = "" if node.label is None else str(float(node.label.value))
        labelled[node.parent].append(f"{digest(own, value, *sorted(labelled[index])):x}")
    return digest(wording(tree.problem.prompt), *sorted(said[-1])), digest(*sorted(labelled[-1]))
