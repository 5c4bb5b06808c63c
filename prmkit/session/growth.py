"""A tree as it grows under requests, whose shape is fixed by what was asked and never by which reply came first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from prmkit.generate.written import STEP_END, VOCABULARY, Written, WrittenStep
from prmkit.tree import ROOT, Finish, StepTree

IndependentUnit = Literal["sample", "request"]


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that continuations answer: the node it starts from, its key, its number among those of the node."""

    node: int
    key: str
    ordinal: int


class Growth:
    """A tree whose nodes have a name and a birth: the request and the sample that made them.

    Names stand in the keys of later requests. Births order the children of a node, and so the whole tree: two runs that
    ask the same end in the same file, however their tasks were timed.

    Args:
        tree: the problem and the steps that exist already.
        meta: what a tree notes of the policy whose steps are added (PolicyText.meta).
    """

    def __init__(self, tree: StepTree, meta: Mapping[str, str]) -> None:
        self.tree = tree
        self._meta = meta
        self._names = [f"given {index} {node.text}" for index, node in enumerate(tree)]
        self._births: list[tuple[int, ...]] = [(0, index) for index in range(len(tree))]
        self._depths = [len(tree.path(index)) for index in range(len(tree))]
        self._inner = {node.parent for node in tree}
        self._requests: Counter[int] = Counter()
        self._samples: list[tuple[int, int]] = []  # births of what was drawn from the problem itself

    def name(self, node: int) -> str:
        """What names the node in keys; empty for the problem itself."""
        return "" if node == ROOT else self._names[node]

    def depth(self, node: int) -> int:
        """Steps from the problem to the node."""
        return 0 if node == ROOT else self._depths[node]

    def ordinal(self, node: int) -> int:
        """1 for the first request that starts from the node, 2 for the second."""
        self._requests[node] += 1
        return self._requests[node]

    def drawn_ids(self, node: int) -> Sequence[int] | None:
        """The tokens of a step in the vocabulary of this policy; None where they are not known."""
        mine = self.tree.meta.get(VOCABULARY) == self._meta.get(VOCABULARY)
        return self.tree.nodes[node].ids if mine else None

    def is_leaf(self, node: int) -> bool:
        """Whether no step follows the node."""
        return node not in self._inner

    def complete(self, origin: Origin, written: Sequence[Written]) -> list[int]:
        """Add whole continuations and return the last step of each: ``node`` itself where nothing was written."""
        end = self._end_of(origin, written)
        self._note_first(origin, written)
        leaves = []
        for sample, one in enumerate(written):
            leaf = origin.node if one.steps else end
            for position, step in enumerate(one.steps):
                finish: Finish = one.finish if position == len(one.steps) - 1 else "stop"
                birth = (0, 0) if position else (origin.ordinal, sample)
                leaf = self._add(leaf, step, finish, f"{origin.key}/{sample}.{position}", birth)
            leaves.append(leaf)
        return leaves

    def expand(self, origin: Origin, written: Sequence[Written]) -> list[int]:
        """Add next steps and return them.

        Where the policy ended the solution instead of writing a step, that is its end (see ``_end_of``). An empty step
        is no step. A step that stands there for the third time in a row is a loop, and is given up.
        """
        node, end = origin.node, self._end_of(origin, written)
        self._note_first(origin, written)
        steps = []
        for sample, one in enumerate(written):
            if one.steps:
                finish: Finish = one.finish if len(one.steps) == 1 else "stop"
                if finish == "stop" and self._loops(node, one.steps[0].text):
                    finish = "cancelled"
                birth = (origin.ordinal, sample)
                steps.append(self._add(node, one.steps[0], finish, f"{origin.key}/{sample}", birth))
            elif one.finish == "eos" and end != ROOT:
                steps.append(end)
        return steps

    def parts(self, by: IndependentUnit) -> list[list[int]]:
        """The finished nodes below each first sample, or below all first samples of a request."""
        length = 2 if by == "sample" else 1
        found: dict[tuple[int, ...], list[int]] = {birth[:length]: [] for birth in sorted(self._samples)}
        for node in range(len(self.tree)):
            if self.tree.finished(node):
                first = self.tree.path(node)[0]
                found.setdefault(self._births[first][:length], []).append(node)
        return list(found.values())

    def in_order(self) -> tuple[StepTree, dict[int, int]]:
        """The tree, depth first, the children of a node by their births; and the new index of each node."""
        tree = StepTree(self.tree.problem, meta=dict(self.tree.meta))
        children: dict[int, list[int]] = {}
        for index, node in enumerate(self.tree):
            children.setdefault(node.parent, []).append(index)
        new = {ROOT: ROOT}
        stack = [ROOT]
        while stack:
            index = stack.pop()
            if index != ROOT:
                old = self.tree.nodes[index]
                new[index] = tree.append(replace(old, parent=new[old.parent]))
            stack += sorted(children.get(index, ()), key=lambda child: self._births[child], reverse=True)
        return tree, new

    def _end_of(self, origin: Origin, written: Sequence[Written]) -> int:
        """The end of the solution for samples that wrote nothing more: ``node``, or a copy of it beside it.

        A copy, because other solutions go on from ``node`` itself. It has the same score, for it is the same path.
        """
        node, ended = origin.node, [not one.steps and one.finish == "eos" for one in written]
        if node == ROOT or not any(ended):
            return node
        if all(ended) and node not in self._inner:
            self.tree.set_finish(node, "eos")
            return node
        old = self.tree.nodes[node]
        birth = (*self._births[node], origin.ordinal, ended.index(True))
        step = WrittenStep(text=old.text, thought=old.thought, raw=old.raw, ids=old.ids)
        return self._add(old.parent, step, "eos", f"{origin.key}/end", birth, score=old.score)

    def _note_first(self, origin: Origin, written: Sequence[Written]) -> None:
        if origin.node == ROOT:
            self._samples += [(origin.ordinal, sample) for sample in range(len(written))]

    def _add(
        self,
        parent: int,
        step: WrittenStep,
        finish: Finish,
        name: str,
        birth: tuple[int, ...],
        score: float | None = None,
    ) -> int:
        self._names.append(name)
        self._births.append(birth)
        self._depths.append(self.depth(parent) + 1)
        self._inner.add(parent)
        if STEP_END not in self.tree.meta:
            self.tree.meta.update(self._meta)
        # A tree that another policy began: its notes stay, and what is added is known by its text.
        noted, ids, raw = self.tree.meta, step.ids, step.raw
        if noted.get(VOCABULARY) != self._meta.get(VOCABULARY):
            ids = None
        if raw is None and noted[STEP_END] != self._meta[STEP_END]:
            raw = step.text + self._meta[STEP_END]
        return self.tree.add(parent, step.text, finish=finish, score=score, thought=step.thought, raw=raw, ids=ids)

    def _loops(self, node: int, text: str) -> bool:
        nodes = self.tree.nodes
        return (
            node != ROOT
            and nodes[node].text == text
            and nodes[node].parent != ROOT
            and (nodes[nodes[node].parent].text == text)
        )
