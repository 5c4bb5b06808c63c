"""Plain tests: code that calls the program's function and asserts what it returns (HumanEval, MBPP, the hub's forms).

The tests run in one process and the program in another, which only ever answers calls: it never meets an assertion.
"""

from prmkit.errors import InputError
from prmkit.grade.code.verdicts import TestResult, Verdict
from prmkit.sandbox import isolate
from prmkit.sandbox.isolate import Limits
from prmkit.sandbox.packages import needs_packages
from prmkit.sandbox.policy import STRICT, Policy
from prmkit.tree import Problem

_SECONDS, _MEMORY_MB = 60.0, 4096


def judge(problem: Problem, program: str, *, policy: Policy = STRICT) -> Verdict:
    """The verdict on a program: whether every assertion of ``problem.check`` holds.

    Raises:
        InputError: the problem has no tests or no entry point.
    """
    if problem.check is None or problem.entry_point is None:
        raise InputError("the problem has no tests or no entry point", where=problem.id)
    limits = Limits(seconds=_SECONDS, memory_mb=_MEMORY_MB, packages=needs_packages(program), policy=policy)
    outcome = isolate.run_judge(problem.check, program, problem.entry_point, limits)
    reason = outcome.error or ""
    result = TestResult(name="tests", reason=reason, seconds=outcome.seconds)
    return Verdict(status="timeout" if reason == "Timeout" else "fail" if reason else "pass", tests=(result,))
