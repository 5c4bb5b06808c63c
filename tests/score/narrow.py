"""A PRM with a small context that writes down what it was asked."""

from collections.abc import Sequence

from prmkit.errors import InputError
from prmkit.run.seeds import seed_of
from prmkit.score import Scores
from prmkit.tree import ROOT, Problem, StepTree


def value(problem: Problem, steps: Sequence[str]) -> float:
    """The score of the last of these steps: a number that all of them and the problem decide."""
    return seed_of("\x1f".join([problem.prompt, *steps])) / 2**63


class NarrowScorer:
    """A token a character, and scores that depend on all that is read."""

    def __init__(self, context: int) -> None:
        self.context = context
        self.asked: list[tuple[StepTree, list[int]]] = []
        self.looked = 0

    def fits(self, tree: StepTree, node: int) -> bool:
        self.looked += 1
        return self._tokens(tree, node) <= self.context

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        if any(self._tokens(tree, node) > self.context for node in nodes):
            raise InputError("longer than the PRM's context")
        self.asked.append((tree, list(nodes)))
        read = {step for node in nodes for step in tree.path(node)}
        return Scores(
            values=tuple(value(tree.problem, tree.steps(node)) for node in nodes),
            cached_tokens=1,
            tokens=len(tree.problem.prompt) + sum(len(tree.nodes[step].text) for step in read),
            flops=10.0,
        )

    def _tokens(self, tree: StepTree, node: int) -> int:
        return len(tree.problem.prompt) + sum(map(len, tree.steps(node)))

    @property
    def windows(self) -> list[str]:
        """The paths of each request, those left out that another one begins with; sorted, as in ``"aa bb | aa cc"``."""
        found = []
        for tree, nodes in self.asked:
            inner = {step for node in nodes for step in tree.path(node)[:-1]}
            found.append(" | ".join(sorted(" ".join(tree.steps(node)) for node in {*nodes} - inner)))
        return sorted(found)


def path_of(steps: str, prompt: str = "?") -> StepTree:
    """A path of these words; one in brackets is a thought."""
    tree = StepTree(Problem(id="p", prompt=prompt, answer="4"))
    grow(tree, ROOT, steps)
    return tree


def grow(tree: StepTree, parent: int, steps: str) -> int:
    """Add words below a node, one below the other, and return the last."""
    for word in steps.split():
        parent = tree.add(parent, word.strip("()"), thought=word.startswith("("))
    return parent
