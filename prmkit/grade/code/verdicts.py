"""What grading a program gave: a status, and what every test came to."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["pass", "fail", "timeout", "unsupported_env"]
"""``unsupported_env``: this machine cannot run the problem's own reference, so it says nothing about the program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One test: its name or number, why it failed (nothing: it passed), and the seconds that the program had for it."""

    __test__ = False  # not a test class of pytest

    name: str
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The status of a program, and the results of the tests that ran: grading stops at the first failure.

    ``base`` is the status on the public tests alone, where the rule tells them apart (evalplus).
    """

    status: Status
    tests: tuple[TestResult, ...] = ()
    base: Status | None = None
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether the program is right."""
        return self.status == "pass"
