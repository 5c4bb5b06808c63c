"""What step-level strategies do with drawn steps: score them, drop low paths, tell ended ones from live ones."""

from collections.abc import Sequence

from prmkit.session import Session


def live(session: Session, node: int) -> bool:
    """Whether a solution can go on from the node: it ended at a step end."""
    return session.tree.nodes[node].finish == "stop"


async def usable(session: Session, nodes: Sequence[int], prune: float) -> list[int]:
    """Score drawn steps and return, each once, those that a search may go on with or answer with.

    Steps that were cut by a limit are out, and of the others those scored below ``prune``; but the best one stays, so
    that pruning never ends a search. They remain in the tree, and the ledger has counted them.
    """
    whole = [node for node in dict.fromkeys(nodes) if live(session, node) or session.tree.finished(node)]
    scores = await session.score(whole)
    # A finished solution may be found too long for the PRM, which unfinishes it.
    kept = [
        (node, score)
        for node, score in zip(whole, scores, strict=True)
        if live(session, node) or session.tree.finished(node)
    ]
    best = max((score for _, score in kept), default=0.0)
    return [node for node, score in kept if score >= min(prune, best)]


def distinct(session: Session, nodes: Sequence[int]) -> list[int]:
    """The first node of each path of texts: what was drawn twice is one state to go on from."""
    return list({tuple(session.tree.steps(node)): node for node in reversed(nodes)}.values())[::-1]


def best_first(session: Session, nodes: Sequence[int], values: Sequence[float], purpose: str) -> list[int]:
    """The nodes by falling value; equal ones in an order drawn by seed, so that none is favoured."""
    order = list(range(len(nodes)))
    session.random(purpose).shuffle(order)
    return [nodes[index] for index in sorted(order, key=lambda index: -values[index])]
