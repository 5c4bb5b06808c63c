"""A tree as the page's viewer reads it: short enough that thousands fit into one file.

Of a tree that is too large, whole solutions are left out, and counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prmkit.attribution.record import Attribution
from prmkit.report.step_status import statuses
from prmkit.tree import ROOT, StepTree

MOST_STEPS = 3000
"""Steps of one tree that are shown at most."""

_THOUSANDTHS = 1000
_NONE = -1


class Texts:
    """The different texts of a problem's steps: strategies share many, and each is stored once."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Where the text stands in ``all``."""
        number = self._numbers.setdefault(text, len(self.all))
        if number == len(self.all):
            self.all.append(text)
        return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A tree with what is known of it beyond itself.

    Attributes:
        tree: of one run.
        right: the verdict of each solution by its last step, as far as it was judged.
        attributions: of solutions by their last step.
    """

    tree: StepTree
    right: Mapping[int, bool]
    attributions: Mapping[int, Attribution]


def packed(judged: Judged, texts: Texts, *, solutions: int | None = None) -> dict[str, Any]:
    """The tree as JSON has it; what it has none of is left out.

    Keys, with one entry a step: ``parent`` (index, -1 for the problem), ``text`` (number in ``texts``), ``status`` (one
    string, of each step the first letter of its StepStatus), ``score`` and ``label`` (in thousandths, -1 for none).
    Besides: ``right`` {last step: 1 or 0}, ``chosen`` (the answer's last step), ``attributed`` {last step: record}; and
    of what was left out ``omitted`` {solutions, steps, right} and ``cut`` {step: solutions left out below it}.

    Args:
        judged: the tree.
        texts: of the problem; new ones are added.
        solutions: the most solutions to keep; None keeps all that MOST_STEPS allows.
    """
    tree = judged.tree
    kept = _kept(judged, solutions)
    new = {ROOT: ROOT} | {node: index for index, node in enumerate(kept)}
    letters = [status[0] for status in statuses(tree)]
    if all(node.finish is None for node in tree):  # of a corpus, which knows no search that could have left a step
        letters = ["i" if letter == "p" else letter for letter in letters]
    nodes = [tree.nodes[node] for node in kept]
    result: dict[str, Any] = {
        "parent": [new[node.parent] for node in nodes],
        "text": [texts.number(node.text) for node in nodes],
        "status": "".join(letters[node] for node in kept),
    }
    columns: dict[str, list[float | None]] = {
        "score": [node.score for node in nodes],
        "label": [node.label.value if node.label is not None else None for node in nodes],
    }
    for name, values in columns.items():
        if any(value is not None for value in values):
            result[name] = [_NONE if value is None else round(_THOUSANDTHS * value) for value in values]
    result["right"] = {str(new[leaf]): int(right) for leaf, right in judged.right.items() if leaf in new}
    if tree.chosen != ROOT:
        result["chosen"] = new[tree.chosen]
    if judged.attributions:
        result["attributed"] = {str(new[leaf]): found.as_dict() for leaf, found in judged.attributions.items()}
    return result | _omitted(judged, new)


def _kept(judged: Judged, solutions: int | None) -> Sequence[int]:
    """The steps that are shown, in order: of the answer, of attributed solutions, then of the first ones written."""
    tree = judged.tree
    leaves = tree.leaves()
    if len(tree) <= MOST_STEPS and (solutions is None or len(leaves) <= solutions):
        return range(len(tree))
    first = [leaf for leaf in (tree.chosen, *judged.attributions) if leaf != ROOT]
    kept: set[int] = set()
    for count, leaf in enumerate(dict.fromkeys([*first, *leaves])):
        path = kept | set(tree.path(leaf))
        full = len(path) > MOST_STEPS or (solutions is not None and count >= solutions)
        if full and count >= len(first):
            break
        kept = path
    return sorted(kept)


def _omitted(judged: Judged, new: Mapping[int, int]) -> dict[str, Any]:
    tree = judged.tree
    gone = [leaf for leaf in tree.leaves() if leaf not in new]
    if not gone:
        return {}
    cut: dict[str, int] = {}
    for leaf in gone:
        node = leaf
        while node not in new:
            node = tree.nodes[node].parent
        cut[str(new[node])] = cut.get(str(new[node]), 0) + 1
    right = sum(judged.right.get(leaf, False) for leaf in gone)
    return {"omitted": {"solutions": len(gone), "steps": len(tree) - len(new) + 1, "right": right}, "cut": cut}
