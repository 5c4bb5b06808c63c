"""Trees of a corpus that say again what an earlier one has said."""

from dataclasses import dataclass, field
from hashlib import blake2b

from prmkit.sources.sample import wording
from prmkit.sources.seen import Seen
from prmkit.tree import StepTree


@dataclass(slots=True)
class Duplicates:
    """Tells trees that came before from new ones, in some 50 bytes a tree.

    Two trees are the same if their problems and their steps are, whatever the spaces in their texts, in whatever order
    the alternatives of a step stand, and whatever their labels. ``labels_differ`` counts those of the ``repeated`` ones
    whose labels are not those of the first.
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
    said: list[list[bytes]] = [[] for _ in range(len(tree) + 1)]
    labelled: list[list[bytes]] = [[] for _ in range(len(tree) + 1)]
    for index in range(len(tree) - 1, -1, -1):
        node = tree.nodes[index]
        # A wording holds no such sign, and what follows is of one length, or of one a step: no two forms are alike.
        step = f"{wording(node.text)}\x1f{node.thought:d}".encode("utf-8", "surrogatepass")
        own = _digest(step, said[index])
        said[node.parent].append(own)
        value = b"" if node.label is None else b"%r" % float(node.label.value)
        labelled[node.parent].append(_digest(b"%b %b " % (own, value), labelled[index]))
    problem = wording(tree.problem.prompt).encode("utf-8", "surrogatepass")
    whole = _digest(problem + b"\x1f", said[-1])
    return int.from_bytes(whole, "big"), int.from_bytes(_digest(b"", labelled[-1]), "big")


def _digest(own: bytes, below: list[bytes]) -> bytes:
    return blake2b(own + b"".join(sorted(below)), digest_size=8).digest()
