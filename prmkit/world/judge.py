"""A judge of the embedded world's solutions: it knows the truth of every step, and errs as often as it is told to."""

import random

from pydantic import BaseModel, ConfigDict, Field

from prmkit.benchmarks import synthetic_code, synthetic_math
from prmkit.errors import InputError
from prmkit.session import Session
from prmkit.tree import Label, Problem

SOURCE = "judge"
NO_ERROR = -1


class WorldJudgeConfig(BaseModel):
    """How good the judge is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    errors: float = Field(0.0, ge=0, le=1, description="share of the solutions on which its verdict is wrong")


async def judge(session: Session, config: WorldJudgeConfig) -> None:
    """Label each solution's steps as right up to the first wrong one that the judge names; later ones stay unlabelled.

    Where it errs it names no error, or a neighbouring step; of a right solution, any step. It says the same of the same
    solution however often it is asked. A step that several solutions share is right if at least half of those whose
    verdicts reach it say so.

    Raises:
        InputError: the problem is none of the embedded world.
    """
    said: dict[int, list[bool]] = {}
    for leaf in session.tree.leaves():
        path = session.tree.path(leaf)
        first = verdict(session.tree.problem, session.tree.steps(leaf), config.errors)
        for place, node in enumerate(path if first == NO_ERROR else path[: first + 1]):
            said.setdefault(node, []).append(place != first)
    for node, votes in said.items():
        session.tree.set_label(node, Label(value=float(2 * sum(votes) >= len(votes)), source=SOURCE))


def verdict(problem: Problem, steps: list[str], errors: float) -> int:
    """The 0-based first wrong step that the judge names, -1 for none.

    Raises:
        InputError: the problem is none of the embedded world.
    """
    worlds = {"synthetic-math": synthetic_math, "synthetic-code": synthetic_code}
    world = worlds.get(problem.id.partition("/")[0])
    if world is None:
        expected = "a problem of synthetic-math or synthetic-code"
        raise InputError("the judge knows only the embedded world", where=problem.id, expected=expected)
    truth = world.correct_steps(problem, steps)
    first = truth.index(False) if False in truth else NO_ERROR
    rng = random.Random(f"{errors}:{problem.prompt}:{steps}")
    if rng.random() >= errors:
        return first
    others = range(len(steps)) if first == NO_ERROR else (NO_ERROR, first - 1, first + 1)
    return rng.choice([other for other in others if NO_ERROR <= other < len(steps) and other != first])
