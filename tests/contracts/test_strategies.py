import asyncio

import pytest

from prmkit.search import STRATEGIES
from prmkit.session import Session
from prmkit.tree import ROOT
from tests.contracts.strategy import check_strategy

OPTIONS: dict[str, dict[str, bool | int | float | str]] = {
    "adaptive-best-of-n": {"n": 8},
    "beam": {"n": 8},
    "best-of-n": {"n": 8},
    "dvts": {"n": 8},
    "greedy": {"n": 4},
    "majority": {"n": 8},
    "mcts": {"n": 8},
    "particle-filtering": {"n": 8, "repeats": 2},
    "weighted-best-of-n": {"n": 8},
}


def test_every_strategy_is_here() -> None:
    assert OPTIONS.keys() == STRATEGIES.builtin.keys()


@pytest.mark.parametrize("name", OPTIONS)
def test_a_built_in_strategy_keeps_the_contract(name: str) -> None:
    check_strategy(name, OPTIONS[name])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mcts", {"n": 8, "parallel": 3, "value": "mix", "answer_by": "visits"}),
        ("mcts", {"n": 30, "width": 1, "value": "prm"}),
        ("beam", {"n": 8, "width": 2, "score": "min", "merge": True, "prune": 0.3, "answer_by": "weighted"}),
        ("particle-filtering", {"n": 8, "resampling": "systematic", "answer_by": "majority"}),
        ("adaptive-best-of-n", {"n": 8, "sure_by": "vote", "answer_by": "weighted"}),
    ],
)
def test_options_keep_it_too(name: str, options: dict[str, bool | int | float | str]) -> None:
    check_strategy(name, options)


async def forked(session: Session, *, n: int) -> int:
    """Somebody's own: it asks for steps of one node in tasks of its own, and catches no end of a budget."""
    first = await asyncio.gather(*(session.expand(ROOT, 1) for _ in range(n)))
    nodes = [node for steps in first for node in steps if session.tree.nodes[node].finish == "stop"]
    await asyncio.gather(*(session.complete(node, 1) for node in nodes))
    finished = session.finished()
    return (
        session.random("any").choice(sorted(finished, key=lambda leaf: session.tree.steps(leaf))) if finished else ROOT
    )


def test_a_strategy_of_someone_else_by_dotpath() -> None:
    check_strategy("tests.contracts.test_strategies:forked", {"n": 3})


async def hasty(session: Session, *, n: int) -> int:
    """Answers with whatever it wrote first."""
    return next(iter(await session.expand(ROOT, n)), ROOT)


def test_the_contract_finds_a_strategy_that_answers_with_an_unfinished_solution() -> None:
    with pytest.raises(AssertionError, match="an unfinished solution was chosen"):
        check_strategy("tests.contracts.test_strategies:hasty", {"n": 2})
