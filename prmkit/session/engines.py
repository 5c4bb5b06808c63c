"""What the sessions of a run share."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from prmkit.generate import Generator, Sampling
from prmkit.grade import Grader, grader_for
from prmkit.grade.config import DEFAULT, GradingConfig
from prmkit.score import Scorer
from prmkit.score.aggregate import Aggregation
from prmkit.session.journal import Journal
from prmkit.tree import Domain

if TYPE_CHECKING:  # recipes bind without the seconds that importing a tokenizer library takes
    from prmkit.packing.encode import StepEncoder

Graded = TypeVar("Graded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Policy, PRM, judge and journal. ``encoder`` speaks the generator's text format; the PRM has its own.

    ``grading`` says how solutions are judged, and ``grader_for`` gives the judge of a domain that does so.
    """

    generator: Generator
    encoder: "StepEncoder"
    sampling: Sampling
    scorer: Scorer | None = None
    aggregation: Aggregation = "last"
    seed: int = 0
    journal: Journal = field(default_factory=Journal)
    grading: GradingConfig = DEFAULT
    grader_for: Callable[[Domain, GradingConfig], Grader] = grader_for
    # One thread: grading must not block the event loop, and a grader keeps caches and worker processes.
    grading_thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "grading"))

    async def grade(self, domain: Domain, judge: Callable[[Grader], Graded]) -> Graded:
        """What ``judge`` finds with the grader of a domain, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(
            self.grading_thread, judge, self.grader_for(domain, self.grading)
        )
