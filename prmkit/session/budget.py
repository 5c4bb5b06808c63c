"""What a search may spend on a problem, and who may have what others left.

Everything is decided before a request is sent, so that a budget is kept and not merely reported: fewer samples, shorter
ones, or none. Only the clock can end a request that runs.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from prmkit.errors import InputError
from prmkit.session.ledger import Ledger, Width


class Exhausted(Exception):
    """The budget has no room for what was asked. A strategy then answers with the best it has."""


class BudgetConfig(BaseModel):
    """What may be spent on a problem. The first limit that is reached ends its search; one not given does not bind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generations: int | None = Field(None, gt=0, description="solutions; at no depth are more steps drawn than this")
    generated_tokens: int | None = Field(None, gt=0, description="tokens that the policy samples")
    total_tokens: int | None = Field(None, gt=0, description="tokens that policy and PRM compute, prompts included")
    flops: float | None = Field(None, gt=0, description="floating-point operations of policy and PRM")
    seconds: float | None = Field(None, gt=0, description="wall clock")
    shared: bool = Field(
        False, description="problems that end early leave their share to the others; seconds: times the problems"
    )

    def limits(self) -> dict[str, float]:
        """The limits that are counted, by the name of the ledger's figure."""
        given = {
            "generations": self.generations,
            "decode_tokens": self.generated_tokens,
            "total_tokens": self.total_tokens,
            "flops": self.flops,
        }
        return {kind: limit for kind, limit in given.items() if limit is not None}


@dataclass(frozen=True, slots=True)
class Grant:
    """How many samples may be drawn, and how many tokens each may have."""

    n: int
    max_tokens: int


class Allowance:
    """The budget of one problem as it is used up.

    Args:
        config: the limits.
        ledger: what the problem has spent; the session keeps it.
        problems: how many problems the run has, over which a shared clock is spread.
        judged: whether a PRM will read what is drawn, so that its tokens are kept back too.
    """

    def __init__(self, config: BudgetConfig, ledger: Ledger, *, problems: int = 1, judged: bool = False) -> None:
        self.limits = config.limits()
        self.ledger = ledger
        self.width = Width()
        self._judged = judged
        self._seconds = math.inf if config.seconds is None else config.seconds * (problems if config.shared else 1)
        self._start = time.monotonic()
        self._reserved = 0.0  # total tokens of requests that run
        self._reserved_decode = 0.0
        self._longest = {False: 0, True: 0}  # the longest step and the longest solution so far

    @property
    def elapsed(self) -> float:
        """Seconds since the problem was begun, those of the run that this one resumes included."""
        return time.monotonic() - self._start

    @property
    def seconds_left(self) -> float:
        """Until the clock ends the search; infinite without such a limit."""
        return self._seconds - self.elapsed

    def spent(self, kind: str) -> float:
        """What the problem has spent of a limit."""
        return float(getattr(self.ledger, kind))

    def resume(self, elapsed: float) -> None:
        """Put the clock on, to where it stood when a replayed reply came."""
        self._start = min(self._start, time.monotonic() - elapsed)

    def admit(self, want: int, depth: int, prompt: int, max_tokens: int, *, whole: bool) -> Grant:
        """Reserve what ``want`` samples from a node may cost, or as many of them as there is room for.

        Whole solutions come in portions where their cost is not known beforehand: under a limit on tokens as many as
        surely fit if they are as long as the longest so far, under the clock 1, 1, 2, 4, ... Ask again for the rest.

        Args:
            want: samples wanted.
            depth: steps before them.
            prompt: tokens before them.
            max_tokens: the longest that each may become.
            whole: solutions to their end, or single steps.
        """
        n = want
        if "generations" in self.limits:
            n = min(n, self.width.room(depth, int(self.limits["generations"]), whole=whole))
        if whole and self._seconds < math.inf:
            n = min(n, max(1, self.ledger.continuations))
        if len(self.limits) > ("generations" in self.limits):
            n, max_tokens = self._fit(n, prompt, max_tokens, whole=whole)
        if n:
            self.width.draw(depth, n, whole=whole)
            self.ledger.generations = self.width.value
            self._reserve(Grant(n, max_tokens), prompt, 1)
        return Grant(n, max_tokens)

    def settle(self, grant: Grant, prompt: int, longest: int, *, whole: bool) -> None:
        """Give back the reserve of a request that ended; the ledger has its true cost. ``longest``: of its samples."""
        self._reserve(grant, prompt, -1)
        self._longest[whole] = max(self._longest[whole], longest)

    def may_read(self, tokens: int) -> bool:
        """Whether the PRM may read so many tokens."""
        return self._total_left() >= tokens

    def limits_reading(self) -> bool:
        """Whether the PRM's tokens count against a limit."""
        return "total_tokens" in self.limits or "flops" in self.limits

    def _fit(self, n: int, prompt: int, max_tokens: int, *, whole: bool) -> tuple[int, int]:
        usual = min(max_tokens, self._longest[whole] or max_tokens)
        if "flops" in self.limits and not self.ledger.total_tokens:
            n = min(n, 1)  # the first sample tells what a token costs
        while n > 1 and self._longest_fitting(n, prompt) < usual:
            n -= 1
        fitting = self._longest_fitting(n, prompt) if n else 0.0
        return (n, int(min(max_tokens, fitting))) if fitting >= 1 else (0, max_tokens)

    def _longest_fitting(self, n: int, prompt: int) -> float:
        """The length of ``n`` samples that exhausts the budget, the PRM's reading of each of them included."""
        by_decode = (self.limits.get("decode_tokens", math.inf) - self.ledger.decode_tokens - self._reserved_decode) / n
        reads = n if self._judged else 0
        by_total = (self._total_left() - (1 + reads) * prompt) / (n + reads)
        return min(by_decode, by_total)

    def _total_left(self) -> float:
        left = self.limits.get("total_tokens", math.inf) - self.ledger.total_tokens
        if "flops" in self.limits and self.ledger.total_tokens:
            if math.isnan(self.ledger.flops):
                raise InputError(
                    "an engine does not count floating-point operations",
                    where="budget.flops",
                    cure="Give budget.total_tokens or budget.seconds.",
                )
            price = self.ledger.flops / self.ledger.total_tokens
            left = min(left, (self.limits["flops"] - self.ledger.flops) / price if price else math.inf)
        return left - self._reserved

    def _reserve(self, grant: Grant, prompt: int, sign: int) -> None:
        reads = grant.n if self._judged else 0
        self._reserved += sign * ((1 + reads) * prompt + (grant.n + reads) * grant.max_tokens)
        self._reserved_decode += sign * grant.n * grant.max_tokens


def costs(ledger: Ledger, seconds: float) -> dict[str, Any]:
    """What was spent, under the names of the budgets."""
    return {
        "generations": ledger.generations,
        "generated_tokens": ledger.decode_tokens,
        "total_tokens": ledger.total_tokens,
        "flops": None if math.isnan(ledger.flops) else ledger.flops,
        "seconds": round(seconds, 3),
    }
