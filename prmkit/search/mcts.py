"""Monte Carlo tree search with UCT."""

from collections.abc import Sequence
from itertools import chain
from typing import Literal

from prmkit.search.answer import AnswerRule, answer
from prmkit.search.frontier import best_first, distinct, live, usable
from prmkit.search.options import Count, Share, Weight
from prmkit.search.uct import SearchTree
from prmkit.session import Session
from prmkit.tree import ROOT


async def mcts(
    session: Session,
    *,
    n: Count,
    width: Count = 4,
    c: Weight = 1.0,
    value: Literal["rollout", "prm", "mix"] = "rollout",
    mix: Share = 0.5,
    parallel: Count = 1,
    max_steps: Count = 400,
    prune: Share = 0.0,
    answer_by: AnswerRule | Literal["visits"] = "best",
) -> int:
    """Run ``n`` simulations: select a leaf by UCT, expand it, simulate from a child, and back its value up.

    The value of a simulation is the reward of a rollout, written from the leaf to its end and scored by the PRM
    (``rollout``); or the leaf's own reward, without writing on (``prm``); or mix x rollout + (1 - mix) x prm. A
    finished leaf has its own reward, an unfinished rollout none, and so it is with a leaf that was cut. Rewards are
    aggregated as the run says.

    The children of a node are the different steps among ``width`` drawn ones. ``parallel`` leaves of a round are
    simulated together under a virtual loss. A round ends before the next begins, so that the tree does not depend on
    which simulation was faster; rounds of different problems do not wait.

    The answer is chosen among all finished solutions, or (``visits``) among those below the node that a walk by most
    visits ends at, or the nearest node above it that has any.

    Source: the paper, B.4 item 3; Kocsis and Szepesvari 2006.

    Args:
        session: the problem.
        n: simulations.
        width: next steps of an expanded node.
        c: weight of exploration.
        value: what a simulation returns.
        mix: weight of the rollout, with ``mix``.
        parallel: leaves of a round.
        max_steps: depth beyond which nothing is expanded.
        prune: step score below which a child is dropped, unless it is the best.
        answer_by: how the answer is chosen.
    """
    tree, simulations, seen = SearchTree(), 0, 0
    with session.until_exhausted():
        while simulations < n:
            leaves = [_select(tree, c) for _ in range(min(parallel, n - simulations))]
            await _expand(session, tree, leaves, width, max_steps, prune)
            leaves = [_step_down(tree, leaf, c) for leaf in leaves]
            if ROOT in leaves:
                break  # the policy wrote no step to begin with
            rewards = await _simulate(session, leaves, value, mix)
            for leaf, reward in zip(leaves, rewards, strict=True):
                tree.lose(leaf, -1)
                if reward is not None:
                    tree.back_up(leaf, reward)
            simulations += len(leaves)
            session.checkpoint(node for node in range(seen, len(session.tree)) if session.tree.finished(node))
            seen = len(session.tree)
    if answer_by == "visits":
        return await answer(session, _below_most_visited(session, tree), "best")
    return await answer(session, session.finished(), answer_by)


def _select(tree: SearchTree, c: float) -> int:
    leaf = tree.select(c)
    tree.lose(leaf)
    return leaf


async def _expand(
    session: Session, tree: SearchTree, leaves: Sequence[int], width: int, max_steps: int, prune: float
) -> None:
    """Give children to the leaves that were visited before; a new leaf is simulated from first."""
    visited = [
        leaf
        for leaf in dict.fromkeys(leaves)
        if leaf not in tree.children
        and (leaf == ROOT or (tree.visits[leaf].count and live(session, leaf)))
        and len(tree.path(leaf)) <= max_steps
    ]
    if not visited:
        return
    drawn = await session.expand_each([(leaf, width) for leaf in visited])
    await usable(session, list(chain(*drawn)), 0.0)  # scored in one request
    for leaf, steps in zip(visited, drawn, strict=True):
        # Where every sample ended the solution, the leaf itself came back: finished, and without children.
        kept = distinct(session, await usable(session, [step for step in steps if step != leaf], prune))
        tree.expand(leaf, best_first(session, kept, await session.score(kept), f"children {leaf}"))


def _step_down(tree: SearchTree, leaf: int, c: float) -> int:
    """From a leaf that has children now to the first of them that selection takes."""
    if not tree.children.get(leaf):
        return leaf
    tree.lose(leaf, -1)
    child = tree.best_child(leaf, c)
    tree.lose(child)
    return child


async def _simulate(session: Session, leaves: Sequence[int], value: str, mix: float) -> list[float | None]:
    """The reward of each leaf; None where the budget had no room for its rollout."""
    share = {"rollout": 1.0, "prm": 0.0, "mix": mix}[value]
    growing = [share > 0 and live(session, leaf) for leaf in leaves]
    asks = [(leaf, 1) for leaf, grows in zip(leaves, growing, strict=True) if grows]
    rollouts = await session.complete_each(asks) if asks else []
    await session.score([end for ends in rollouts for end in ends if session.tree.finished(end)])
    by_leaf = iter(rollouts)
    rewards: list[float | None] = []
    for leaf, grows in zip(leaves, growing, strict=True):
        ends = next(by_leaf) if grows else [leaf]
        reward: float | None = session.solution_score(leaf)
        if share and not session.tree.finished(leaf):
            outcome = session.solution_score(ends[0]) if ends and session.tree.finished(ends[0]) else 0.0
            reward = share * outcome + (1 - share) * session.solution_score(leaf) if ends else None
        rewards.append(reward)
    return rewards


def _below_most_visited(session: Session, tree: SearchTree) -> list[int]:
    paths = {leaf: set(session.tree.path(leaf)) for leaf in session.finished()}
    for node in reversed(tree.path(tree.most_visited())):
        if below := [leaf for leaf, path in paths.items() if node == ROOT or node in path]:
            return below
    return []
