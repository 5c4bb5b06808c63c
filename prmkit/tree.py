"""The one data structure: the solutions of a problem as a tree of steps.

A plain solution is a path, and a path is a tree. Nodes are appended and never removed, and a parent stands before its
children, so the list order is a topological order and an index names a node for ever.
"""

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast, get_args

from prmkit.errors import InputError

Domain = Literal["math", "code"]
Finish = Literal["stop", "eos", "length", "cancelled"]
"""Why a generated step ended: at a step end, at the end of the solution, cut by a length limit, or by the budget.

A solution whose text ended within a thought came to no answer: it counts as cut by a length limit.
"""

Reads = Literal["thought", "answer", "both"]
"""Which steps of a solution a PRM reads: what a reasoning model thought before it answered, the answer, or both."""
_READS = get_args(Reads)

ROOT = -1
"""The parent of first steps: the problem itself."""


Rule = Literal["calls", "evalplus", "livecodebench", "bigcodebench", "apps", "taco", "code-contests", "asserts"]
"""How a program is judged: by what it returns or prints, or as the named benchmark or corpus does, or by tests that
call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One call of a program: text of the argument list, and of the value it must return.

    The text is JSON, where need be with types (sandbox/values.py). A program without an entry point is a script: the
    texts are its standard input and output. Without an output, the problem's ``reference`` says what is expected. What
    else counts as the expected output is up to the problem's rule.

    ``public`` inputs may be seen by search (voting by behaviour); the others only grade.
    """

    input: str
    output: str | None = None
    public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem and what is needed to judge an answer to it.

    Of code: ``entry_point`` is the function to call, perhaps a method of ``class Solution`` (none: a script);
    ``input_file`` and ``output_file`` are the names under which a script finds its input, and may leave its output,
    besides the standard streams; ``stub`` is the code that a solution completes; ``reference`` a whole program that is
    right; ``check`` the code of its tests; ``atol`` the tolerance of floats.
    """

    id: str
    prompt: str
    domain: Domain = "math"
    answer: str | None = None
    level: str | None = None
    subject: str | None = None
    entry_point: str | None = None
    tests: tuple[Case, ...] = ()
    input_file: str | None = None
    output_file: str | None = None
    rule: Rule = "calls"
    stub: str | None = None
    reference: str | None = None
    check: str | None = None
    atol: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The probability that a step is correct, and who says so.

    ``stderr`` is the standard error of an estimate and ``rollouts`` the number of samples behind it; both are None for
    human labels.
    """

    value: float
    source: str
    stderr: float | None = None
    rollouts: int | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and 0.0 <= self.value <= 1.0):
            raise InputError("label out of range", got=self.value, expected="a probability in [0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One step: its text, and what is known of it.

    ``thought``: it belongs to what a reasoning model thinks before it answers; answers are judged without it. ``raw``
    is the text as it was written, with the white space and the tags around it, where that is not ``text`` and the
    step end of the tree (``meta["step_end"]``). ``ids`` are the tokens that the policy wrote, in the vocabulary that
    ``meta["tokenizer"]`` names: a policy goes on from these, and from texts only where there are none.
    """

    parent: int
    text: str
    label: Label | None = None
    score: float | None = None
    finish: Finish | None = None
    thought: bool = False
    raw: str | None = None
    ids: Sequence[int] | None = None


@dataclass(slots=True, weakref_slot=True)
class StepTree:
    """A problem and the steps that were written for it."""

    problem: Problem
    nodes: list[Node] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_steps(
        cls, problem: Problem, steps: Sequence[str], labels: Sequence[Label | None] | None = None
    ) -> "StepTree":
        """A tree of one path.

        Raises:
            InputError: labels and steps differ in number, or a step is empty.
        """
        if labels is not None and len(labels) != len(steps):
            raise InputError("labels and steps differ in number", got=len(labels), expected=f"{len(steps)} labels")
        tree = cls(problem)
        # Most corpora are read through here. What ``append`` checks besides holds in every path.
        for parent, (text, label) in enumerate(zip(steps, labels or [None] * len(steps), strict=True), start=ROOT):
            _check_text(text)
            tree.nodes.append(Node(parent=parent, text=text, label=label))
        return tree

    def add(
        self,
        parent: int,
        text: str,
        *,
        label: Label | None = None,
        score: float | None = None,
        finish: Finish | None = None,
        thought: bool = False,
        raw: str | None = None,
        ids: Sequence[int] | None = None,
    ) -> int:
        """Append a step and return its index.

        Raises:
            InputError: the parent does not exist or ended its solution, the step is empty, or the score is no
                probability.
        """
        # Four bytes a token, where a list of numbers takes some forty.
        kept = None if ids is None else array("I", ids)
        return self.append(
            Node(parent=parent, text=text, label=label, score=score, finish=finish, thought=thought, raw=raw, ids=kept)
        )

    def append(self, node: Node) -> int:
        """Append a step and return its index. Raises InputError as ``add`` does."""
        parent = node.parent
        if not ROOT <= parent < len(self.nodes):
            raise InputError("no such parent step", got=parent, expected=f"an index in [-1, {len(self.nodes)})")
        if parent != ROOT and self.nodes[parent].finish in ("eos", "length", "cancelled"):
            raise InputError("a step follows a solution that ended", got=self.nodes[parent].finish)
        _check_text(node.text)
        if node.score is not None:
            _check_score(node.score)
        self.nodes.append(node)
        return len(self.nodes) - 1

    def set_label(self, node: int, label: Label | None) -> None:
        """Replace the label of a step."""
        self.nodes[node] = replace(self.nodes[node], label=label)

    def set_finish(self, node: int, finish: Finish) -> None:
        """Say why a step ended. Raises InputError if steps follow it and the finish allows none."""
        if finish != "stop" and any(child.parent == node for child in self.nodes[node + 1 :]):
            raise InputError("a step follows a solution that ended", got=finish)
        self.nodes[node] = replace(self.nodes[node], finish=finish)

    def set_score(self, node: int, score: float) -> None:
        """Replace the PRM score of a step. Raises InputError for NaN and for values outside [0, 1]."""
        _check_score(score)
        self.nodes[node] = replace(self.nodes[node], score=score)

    def path(self, node: int) -> list[int]:
        """Indices from the first step to ``node``; empty for ROOT."""
        indices = []
        while node != ROOT:
            indices.append(node)
            node = self.nodes[node].parent
        return indices[::-1]

    def up_to(self, node: int) -> "StepTree":
        """A tree of the steps from the first to ``node`` alone, as they were written; labels and scores left out."""
        tree = StepTree(self.problem, meta=dict(self.meta))
        for parent, index in enumerate(self.path(node), start=ROOT):
            tree.append(replace(self.nodes[index], parent=parent, label=None, score=None, finish=None))
        return tree

    @property
    def reads(self) -> Reads:
        """Which steps the PRM of its scores reads, as ``meta`` notes it; both where it notes nothing.

        Raises:
            InputError: the note names no such choice.
        """
        noted = self.meta.get("reads", "both")
        if noted not in _READS:
            raise InputError(
                "no such choice of steps to read", where=self.problem.id, got=noted, expected=", ".join(_READS)
            )
        return cast(Reads, noted)

    def note_reads(self, reads: Reads) -> None:
        """Note which steps the PRM of its scores reads; nothing is noted of a PRM that reads both."""
        self.meta.pop("reads", None)
        if reads != "both":
            self.meta["reads"] = reads

    def is_read(self, node: int, reads: Reads | None = None) -> bool:
        """Whether a PRM reads the step: by default the one of the tree's scores (see ``reads``)."""
        reads = reads or self.reads
        return reads == "both" or self.nodes[node].thought == (reads == "thought")

    def read_path(self, node: int, reads: Reads | None = None) -> list[int]:
        """Indices of the steps from the first to ``node`` that a PRM reads, by default that of the tree's scores.

        These alone have scores of their own, and the score of a solution is aggregated over them.
        """
        reads = reads or self.reads
        path = self.path(node)
        return path if reads == "both" else [index for index in path if self.is_read(index, reads)]

    def steps(self, node: int) -> list[str]:
        """Texts from the first step to ``node``."""
        return [self.nodes[index].text for index in self.path(node)]

    def solution(self, node: int) -> str:
        """The text that is judged: the steps from the first to ``node`` without those of a thought, line after line."""
        return "\n".join(self.answer(node))

    def answer(self, node: int) -> list[str]:
        """Texts from the first step to ``node`` of those that belong to no thought."""
        return [self.nodes[index].text for index in self.path(node) if not self.nodes[index].thought]

    def children(self, node: int) -> list[int]:
        """Indices of the steps that follow ``node``, oldest first."""
        return [index for index, child in enumerate(self.nodes) if child.parent == node]

    def leaves(self) -> list[int]:
        """Indices of the steps that no step follows, oldest first."""
        parents = {node.parent for node in self.nodes}
        return [index for index in range(len(self.nodes)) if index not in parents]

    def finished(self, node: int) -> bool:
        """Whether the solution that ends in ``node`` came to its own end: only such a solution may vote or win."""
        return node != ROOT and self.nodes[node].finish == "eos"

    @property
    def chosen(self) -> int:
        """The last step of the answer, as a search noted it in ``meta``; ROOT where there is none.

        Raises:
            InputError: the note names no step.
        """
        noted = self.meta.get("chosen", str(ROOT))
        try:
            node = int(noted)
        except ValueError:
            node = len(self.nodes)
        if not ROOT <= node < len(self.nodes):
            raise InputError("the answer is no step of the tree", where=self.problem.id, got=noted)
        return node

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)


def _check_text(text: str) -> None:
    if not text or text.isspace():
        raise InputError("empty step", got=text, expected="text")


def _check_score(score: float) -> None:
    if not (math.isfinite(score) and 0.0 <= score <= 1.0):
        raise InputError("score out of range", got=score, expected="a probability in [0, 1]")
