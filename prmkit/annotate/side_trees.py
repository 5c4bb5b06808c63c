"""What an estimator asks beside the tree of its problem: rollouts that it may throw away, and questions of its own."""

from hashlib import blake2b

from prmkit.session import Session
from prmkit.tree import ROOT, Problem, StepTree


async def roll_out(session: Session, node: int, n: int) -> tuple[Session, list[int]]:
    """A session on a tree of the steps up to ``node`` and of ``n`` rollouts behind them, and the rollouts' last steps.

    What they cost is counted in the ledger of ``session``, whose tree does not change.

    Raises:
        TooLong: the problem alone fills the policy's context.
    """
    beside = session.beside(session.tree.up_to(node))
    return beside, await _paid_by(session, beside, len(beside.tree) - 1, n)


async def ask(session: Session, text: str, n: int, *, attempt: int) -> list[str]:
    """``n`` answers of the session's model to a text in place of its problem; another attempt gives others.

    Raises:
        TooLong: the text fills the model's context.
    """
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    question = Problem(id=f"{session.tree.problem.id}/ask/{digest}/{attempt}", prompt=text)
    beside = session.beside(StepTree(question))
    return [beside.tree.solution(leaf) for leaf in await _paid_by(session, beside, ROOT, n)]


async def _paid_by(session: Session, beside: Session, node: int, n: int) -> list[int]:
    try:
        return await beside.complete(node, n)
    finally:
        session.ledger.add(beside.ledger)
