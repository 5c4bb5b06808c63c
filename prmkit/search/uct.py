"""The statistics of a Monte Carlo tree search: visits, values, and the rule that selects by them."""

import math
from dataclasses import dataclass, field

from prmkit.tree import ROOT


@dataclass(slots=True)
class Visits:
    """What is known of a node s: N(s), the sum of the values that came back, and what is under way."""

    count: int = 0
    value: float = 0.0
    virtual: int = 0  # leaves below it that are being simulated


@dataclass(slots=True)
class SearchTree:
    """The part of a tree of steps that selection walks: the steps of expanded nodes. Rollouts are no part of it."""

    children: dict[int, list[int]] = field(default_factory=dict)
    parent: dict[int, int] = field(default_factory=dict)
    visits: dict[int, Visits] = field(default_factory=lambda: {ROOT: Visits()})

    def expand(self, node: int, steps: list[int]) -> None:
        """Give a node its children, in the order in which unvisited ones are tried."""
        self.children[node] = list(dict.fromkeys(steps))
        for step in self.children[node]:
            self.parent[step] = node
            self.visits.setdefault(step, Visits())

    def path(self, node: int) -> list[int]:
        """The nodes from ROOT to this one."""
        nodes = [node]
        while nodes[-1] != ROOT:
            nodes.append(self.parent[nodes[-1]])
        return nodes[::-1]

    def select(self, c: float) -> int:
        """The leaf that selection ends at: always on to the child with the largest UCT, an unvisited one at once."""
        node = ROOT
        while self.children.get(node):
            node = self.best_child(node, c)
        return node

    def best_child(self, node: int, c: float) -> int:
        """The child with the largest UCT; of equal ones the first in the order that ``expand`` gave them."""
        return max(self.children[node], key=lambda child: self.uct(node, child, c))

    def uct(self, s: int, a: int, c: float) -> float:
        """UCT(s, a) = Q(s, a) + c sqrt(ln N(s) / N(s, a)); infinite for what was never visited.

        Q is the mean value of what came back through a. A simulation under way counts as a visit that lost (virtual
        loss), so that leaves of one round differ.

        Source: the paper, B.4 item 3; virtual loss: Chaslot et al. 2008, "Parallel Monte-Carlo tree search".
        """
        parent, child = self.visits[s], self.visits[a]
        n_s, n_sa = parent.count + parent.virtual, child.count + child.virtual
        if n_sa == 0:
            return math.inf
        return child.value / n_sa + c * math.sqrt(math.log(n_s) / n_sa)

    def lose(self, leaf: int, sign: int = 1) -> None:
        """Add a virtual loss to the path to a leaf, or take it away."""
        for node in self.path(leaf):
            self.visits[node].virtual += sign

    def back_up(self, leaf: int, value: float) -> None:
        """Let a value count for every node on the path to a leaf."""
        for node in self.path(leaf):
            self.visits[node].count += 1
            self.visits[node].value += value

    def most_visited(self) -> int:
        """The node that a walk by visits ends at; of equally visited children the one with the larger mean value."""
        node = ROOT
        while visited := [child for child in self.children.get(node, ()) if self.visits[child].count]:
            node = max(visited, key=lambda child: (self.visits[child].count, self.visits[child].value))
        return node
