"""The figures of a corpus: sizes, label balance, steps, tokens, and how much of it is said more than once."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from prmkit.sources.sample import Unit, wording
from prmkit.sources.seen import digest
from prmkit.tree import ROOT, Label, StepTree

_UNITS: tuple[Unit, ...] = ("trees", "solutions", "labels")


def words(text: str) -> int:
    """The number of words: a stand-in for tokens that needs no tokenizer."""
    return len(text.split())


@dataclass(slots=True)
class CorpusStats:
    """Figures of trees that are given one after another, in 16 bytes of memory a tree.

    Args:
        count: the tokens of a text.
    """

    count: Callable[[str], int] = words
    sizes: dict[Unit, int] = field(default_factory=lambda: dict.fromkeys(_UNITS, 0))
    nodes: int = 0
    right: int = 0
    wrong: int = 0
    tokens: int = 0
    path_steps: int = 0
    path_tokens: int = 0
    longest: int = 0
    _problems: "array[int]" = field(default_factory=lambda: array("Q"))
    _trees: "array[int]" = field(default_factory=lambda: array("Q"))

    def add(self, tree: StepTree) -> None:
        """Take in a tree."""
        labels = [node.label for node in tree.nodes if node.label is not None]
        self.sizes["trees"] += 1
        self.sizes["labels"] += len(labels)
        self.nodes += len(tree)
        self.right += sum([label.value == 1 for label in labels])
        self.wrong += sum([label.value == 0 for label in labels])
        prompt = wording(tree.problem.prompt)
        self._problems.append(digest(prompt))
        said = [f"{node.parent} {node.text} {_values(node.label)}" for node in tree.nodes]
        self._trees.append(digest(prompt, *said))
        self._measure(tree)

    def _measure(self, tree: StepTree) -> None:
        """Tokens of the tree, each once, and of its root-to-leaf paths, each with its problem."""
        before = {ROOT: (0, self.count(tree.problem.prompt))}
        self.tokens += before[ROOT][1]
        for index, node in enumerate(tree.nodes):
            own = self.count(node.text)
            self.tokens += own
            steps, tokens = before[node.parent]
            before[index] = (steps + 1, tokens + own)
        leaves = tree.leaves()
        self.sizes["solutions"] += len(leaves)
        for leaf in leaves:
            steps, tokens = before[leaf]
            self.path_steps += steps
            self.path_tokens += tokens
            self.longest = max(self.longest, steps)

    def as_dict(self) -> dict[str, Any]:
        """The figures by name; None where there is nothing to divide by.

        ``right_share`` and ``wrong_share`` are of the labelled steps. ``duplication`` is how many tokens the paths hold
        for one of the tree's, and ``unique_prefixes`` the share of path prefixes that are different steps.
        """
        solutions, labelled = self.sizes["solutions"], self.sizes["labels"]
        return {
            "problems": len(np.unique(self._problems)),
            "repeated_trees": len(self._trees) - len(np.unique(self._trees)),
            "solutions": solutions,
            "steps_per_solution": _ratio(self.path_steps, solutions),
            "longest_solution": self.longest,
            "right_share": _ratio(self.right, labelled),
            "wrong_share": _ratio(self.wrong, labelled),
            "soft_share": _ratio(labelled - self.right - self.wrong, labelled),
            "tokens": self.tokens,
            "tokens_of_paths": self.path_tokens,
            "duplication": _ratio(self.path_tokens, self.tokens) if solutions else None,
            "unique_prefixes": _ratio(self.nodes, self.path_steps),
        }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _values(label: Label | None) -> str:
    return "" if label is None else f"{label.value} {label.source} {label.stderr} {label.rollouts}"
