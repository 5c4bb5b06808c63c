"""What the sessions of a run share."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from prmkit.generate import Generator, Sampling, context_of
from prmkit.generate.meter import Meter, meter_of
from prmkit.generate.speaker import Speaker
from prmkit.grade import Grader, grader_for
from prmkit.grade.config import DEFAULT, GradingConfig
from prmkit.score import Scorer
from prmkit.score.aggregate import Aggregation
from prmkit.score.reading import reads_of
from prmkit.session.journal import Journal
from prmkit.tree import Domain, Reads

Graded = TypeVar("Graded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Policy, PRM, judge and journal. ``text`` speaks to the policy; the PRM reads in a way of its own.

    ``grading`` says how solutions are judged, and ``grader_for`` gives the judge of a domain that does so.
    """

    generator: Generator
    text: Speaker
    sampling: Sampling
    scorer: Scorer | None = None
    aggregation: Aggregation = "last"
    seed: int = 0
    journal: Journal = field(default_factory=Journal)
    grading: GradingConfig = DEFAULT
    grader_for: Callable[[Domain, GradingConfig], Grader] = grader_for
    # One thread: grading must not block the event loop, and a grader keeps caches and worker processes.
    grading_thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "grading"))
    # What the replies of generator and scorer took: the only count where an engine has no meter of its own.
    draws: Meter = field(default_factory=lambda: Meter(live=False))
    readings: Meter = field(default_factory=lambda: Meter(live=False))

    @property
    def policy_meter(self) -> Meter:
        """The tokens of the generator, as they come where it counts them itself."""
        return meter_of(self.generator) or self.draws

    @property
    def prm_meter(self) -> Meter:
        """The tokens of the scorer, as they come where it counts them itself."""
        return meter_of(self.scorer) or self.readings

    @property
    def context(self) -> int | None:
        """Tokens that the policy can read and write in all; None where only its refusals tell."""
        return context_of(self.generator)

    @property
    def reads(self) -> Reads:
        """Which steps the PRM reads; both without one."""
        return "both" if self.scorer is None else reads_of(self.scorer)

    async def grade(self, domain: Domain, judge: Callable[[Grader], Graded]) -> Graded:
        """What ``judge`` finds with the grader of a domain, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(
            self.grading_thread, judge, self.grader_for(domain, self.grading)
        )
