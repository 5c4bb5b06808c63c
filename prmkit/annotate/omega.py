"""OmegaPRM: a tree search that spends its rollouts where a solution that nearly succeeds goes wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prmkit.annotate.rollouts import RolloutShare, gradable, implied
from prmkit.annotate.side_trees import roll_out
from prmkit.session import Session
from prmkit.tree import ROOT, Node, StepTree


class OmegaConfig(BaseModel):
    """OmegaPRM; the constants are the paper's, but for the limit on searches."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rollouts: int = Field(8, ge=1, description="k: completions drawn from each state")
    searches: int = Field(20, ge=0, description="binary searches of a problem, at most")
    alpha: float = Field(0.5, gt=0, le=1, description="prefers states that often succeed: alpha ** (1 - MC)")
    beta: float = Field(0.9, gt=0, le=1, description="prefers short rollouts: beta ** (length / L)")
    length: int = Field(500, ge=1, description="L, in tokens")
    exploration: float = Field(0.125, ge=0, description="c_puct: prefers states that were selected less")
    kind: Literal["soft", "hard"] = Field("soft", description="label with the share of successes, or with 0 and 1")
    threshold: float = Field(0.0, ge=0.0, lt=1.0, description="hard: a step is correct if the share is above this")
    keep_right: int = Field(1, ge=0, description="right rollouts of each state that become solutions of the tree")


@dataclass(frozen=True, slots=True)
class Rollout:
    """A completion from a state: its steps, its length in tokens, and how it ended."""

    steps: tuple[Node, ...]
    tokens: int
    finished: bool
    right: bool


@dataclass(slots=True)
class State:
    """A prefix of solutions: how often its rollouts succeed, how often it was selected, which wrong ones are left."""

    share: RolloutShare
    selected: int = 0
    wrong: list[Rollout] = field(default_factory=list)


def priority(state: State, rollout: Rollout, selections: int, config: OmegaConfig) -> float:
    """Q(s, r) + U(s) of a rollout r of a state s.

        Q = alpha ** (1 - MC(s)) * beta ** (len(r) / L)        U = c_puct * sqrt(sum of N) / (1 + N(s))

    Args:
        state: with its share MC(s) and its count N(s).
        rollout: one of its wrong rollouts.
        selections: the sum of N over all states.
        config: the constants.

    Source: Luo et al. 2024, arXiv 2406.06592, equations 2 and 3.
    """
    value = config.alpha ** (1 - state.share.value) * config.beta ** (rollout.tokens / config.length)
    return float(value + config.exploration * math.sqrt(selections) / (1 + state.selected))


async def omega(session: Session, config: OmegaConfig) -> None:
    """Grow the tree by searching wrong rollouts for their first errors, and label the states that were measured.

    The problem's rollouts are the solutions that the tree already has, else ``k`` new ones. A problem whose rollouts
    are all right or all wrong is left as it is, since nothing can be learned from it. Each selected rollout leaves the
    pool for good, and one cut by a length limit never enters it. Hard labels are also given to the steps between
    measured states, which these imply.

    Source: Luo et al. 2024, arXiv 2406.06592, section 3.3, algorithm 1.
    """
    if gradable(session.tree.problem):
        await _Search(session, config).run()


class _Search:
    def __init__(self, session: Session, config: OmegaConfig) -> None:
        self.session, self.tree, self.config = session, session.tree, config
        self.states: dict[int, State] = {}

    async def run(self) -> None:
        tree, leaves = self.tree, self.tree.leaves()
        start = self.session.tokens(ROOT)
        rollouts = [
            Rollout(_nodes(tree, leaf), self.session.tokens(leaf) - start, tree.finished(leaf), right)
            for leaf, right in zip(leaves, await self.session.correct(leaves), strict=True)
        ]
        self._enter(ROOT, rollouts or await self._rollouts(ROOT))
        for _ in range(self.config.searches):
            chosen = self._select()
            if chosen is None:
                break
            await self._search(*chosen)
        self._label()

    async def _rollouts(self, node: int) -> list[Rollout]:
        """``k`` rollouts from a state, on a tree beside the problem's own."""
        beside, leaves = await roll_out(self.session, node, self.config.rollouts)
        self.tree.meta.update(beside.tree.meta)  # in whose vocabulary the ids of what is grown are
        given = len(self.tree.path(node))
        start = beside.tokens(given - 1)
        return [
            Rollout(
                steps=_nodes(beside.tree, leaf)[given:],
                tokens=beside.tokens(leaf) - start,
                finished=beside.tree.finished(leaf),
                right=right,
            )
            for leaf, right in zip(leaves, await beside.correct(leaves), strict=True)
        ]

    def _enter(self, node: int, rollouts: Sequence[Rollout]) -> None:
        """Make a state of a node; its wrong rollouts wait in the pool if some others were right."""
        share = RolloutShare(successes=sum(each.right for each in rollouts), rollouts=len(rollouts))
        state = State(share)
        if 0 < share.successes < share.rollouts:
            state.wrong = [each for each in rollouts if each.finished and not each.right and each.steps]
        self.states[node] = state
        for rollout in [each for each in rollouts if each.right and each.steps][: self.config.keep_right]:
            leaf = self._grow(node, rollout.steps, finished=True)[-1]
            self.states.setdefault(leaf, State(RolloutShare(successes=1, rollouts=1)))

    def _select(self) -> tuple[int, Rollout] | None:
        """Take the rollout of the highest priority out of the pool; of equals, the one that came first."""
        selections = sum(state.selected for state in self.states.values())
        pool = [(node, rollout) for node, state in self.states.items() for rollout in state.wrong]
        if not pool:
            return None
        node, rollout = max(pool, key=lambda each: priority(self.states[each[0]], each[1], selections, self.config))
        self.states[node].selected += 1
        self.states[node].wrong.remove(rollout)
        return node, rollout

    async def _search(self, node: int, rollout: Rollout) -> None:
        """Find the first step of a wrong rollout from which no rollout succeeds; each step tried becomes a state."""
        path = self._grow(node, rollout.steps, finished=True)
        self.states.setdefault(path[-1], State(RolloutShare(successes=0, rollouts=1)))
        low, high = 0, len(path) - 1
        while low < high:
            middle = (low + high) // 2
            if path[middle] not in self.states:
                self._enter(path[middle], await self._rollouts(path[middle]))
            if self.states[path[middle]].share.successes:
                low = middle + 1
            else:
                high = middle

    def _grow(self, node: int, steps: Sequence[Node], *, finished: bool) -> list[int]:
        """The nodes of these steps below ``node``; those that exist are shared."""
        path = []
        for place, step in enumerate(steps, start=1):
            finish: Literal["eos", "stop"] = "eos" if finished and place == len(steps) else "stop"
            same = [
                child
                for child in self.tree.children(node)
                if (self.tree.nodes[child].text, self.tree.nodes[child].finish == "eos") == (step.text, finish == "eos")
            ]
            grown = replace(step, parent=node, label=None, score=None, finish=finish)
            node = same[0] if same else self.tree.append(grown)
            path.append(node)
        return path

    def _label(self) -> None:
        hard = self.config.kind == "hard"
        right = {step for node, state in self.states.items() if state.share.successes for step in self.tree.path(node)}
        for node in range(len(self.tree)):
            if node in self.states:
                label = self.states[node].share.label(hard=hard, threshold=self.config.threshold)
                self.tree.set_label(node, label)
            elif hard and node in right:
                self.tree.set_label(node, implied(1.0))


def _nodes(tree: StepTree, leaf: int) -> tuple[Node, ...]:
    return tuple(tree.nodes[step] for step in tree.path(leaf))
