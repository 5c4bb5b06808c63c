"""The figures of a corpus: sizes, label balance, steps, tokens, and how much of it is said more than once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from prmkit.sources.sample import Unit, size_of, wording
from prmkit.tree import ROOT, StepTree

_UNITS: tuple[Unit, ...] = ("trees", "solutions", "labels")


def words(text: str) -> int:
    """The number of words: a stand-in for tokens that needs no tokenizer."""
    return len(text.split())


@dataclass(slots=True)
class CorpusStats:
    """Figures of trees that are given one after another; memory holds 8 bytes a problem and a tree.

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
    repeated: int = 0
    _problems: set[bytes] = field(default_factory=set)
    _trees: set[bytes] = field(default_factory=set)

    def add(self, tree: StepTree) -> None:
        """Take in a tree."""
        for unit in _UNITS:
            self.sizes[unit] += size_of(tree, unit)
        self.nodes += len(tree)
        self.right += sum(node.label is not None and node.label.value == 1 for node in tree)
        self.wrong += sum(node.label is not None and node.label.value == 0 for node in tree)
        prompt = wording(tree.problem.prompt)
        self._problems.add(_digest(prompt))
        whole = _digest("\x1f".join([prompt, *(f"{node.parent} {node.text} {node.label}" for node in tree)]))
        self.repeated += whole in self._trees
        self._trees.add(whole)
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
        for leaf in tree.leaves():
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
            "problems": len(self._problems),
            "repeated_trees": self.repeated,
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


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
