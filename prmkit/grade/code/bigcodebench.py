"""The rules of BigCodeBench: a unittest class in the program's own module, the program calibrated.

Calibrated: the problem's header stands before the program, so that a missing import or ``def`` does not fail it. The
problems want some 140 packages. Where the reference solution itself does not pass, here and now and behind these walls
(a package or the network is missing), the status is ``unsupported_env`` and says nothing about the program.

Source: BigCodeBench 0.2.5, bigcodebench/evaluate.py and eval/__init__.py (Zhuo et al. 2024, arXiv 2406.15877).
"""

import ast
import threading

from prmkit.errors import InputError
from prmkit.grade.code.prelude import after_future_imports
from prmkit.grade.code.verdicts import TestResult, Verdict
from prmkit.sandbox import isolate
from prmkit.sandbox.isolate import Limits, Outcome
from prmkit.sandbox.packages import missing
from prmkit.sandbox.policy import STRICT, Policy
from prmkit.sandbox.syntax import parse
from prmkit.tree import Problem

SECONDS = 240.0
"""The official limit of a program."""
_REFERENCE_SECONDS = 60.0
_MEMORY_MB = 8192

_supported: dict[tuple[Problem, Policy], str] = {}
_lock = threading.Lock()


def judge(problem: Problem, program: str, *, policy: Policy = STRICT, seconds: float = SECONDS) -> Verdict:
    """The verdict on a program, with the reason of every test that fails.

    Raises:
        InputError: the problem has no tests or no reference solution.
    """
    reason = unsupported(problem, policy=policy)
    absent = [] if reason else missing(program)
    if reason or absent:
        return Verdict(status="unsupported_env", reason=reason or f"not installed: {', '.join(absent)}")
    return _run(problem, calibrated(problem, program), seconds, policy)


def calibrated(problem: Problem, program: str) -> str:
    """The program after the problem's header."""
    return after_future_imports(f"{problem.stub}\n    pass", program) if problem.stub else program


def unsupported(problem: Problem, *, policy: Policy = STRICT) -> str:
    """Why this machine cannot run the problem: a missing package, or how its reference fails. Nothing if it can."""
    if problem.reference is None or problem.check is None:
        raise InputError("the problem has no reference or no tests", where=problem.id, expected="canonical_solution")
    key = (problem, policy)
    with _lock:
        known = _supported.get(key)
    if known is None:
        absent = missing(problem.reference + "\n" + problem.check)
        if absent:
            known = f"not installed: {', '.join(absent)}"
        else:
            verdict = _run(problem, problem.reference, _REFERENCE_SECONDS, policy)
            failed = next((test for test in verdict.tests if test.reason), None)
            detail = verdict.reason or (f"{failed.name}: {failed.reason}" if failed else "")
            known = "" if verdict.passed else f"the reference does not pass here ({detail or verdict.status})"
        with _lock:
            _supported[key] = known
    return known


def _run(problem: Problem, program: str, seconds: float, policy: Policy) -> Verdict:
    check = problem.check or ""
    limits = Limits(seconds=seconds, memory_mb=_MEMORY_MB, packages=True, policy=policy)
    found = isolate.run_unittest(f"{program}\n{check}", limits)
    if isinstance(found, Outcome):
        return Verdict(status="timeout" if found.error == "Timeout" else "fail", reason=found.error or "")
    wanted = _test_names(check)
    results = tuple(
        TestResult(name=name, reason=found.get(name, "did not run")) for name in sorted(wanted | set(found))
    )
    return Verdict(status="fail" if any(test.reason for test in results) or not results else "pass", tests=results)


def _test_names(check: str) -> set[str]:
    """The tests that a unittest class defines; what the program's process reports is held against them."""
    try:
        nodes = ast.walk(parse(check))
    except SyntaxError:
        return set()
    cases = [node for node in nodes if isinstance(node, ast.ClassDef) and node.name == "TestCases"]
    methods = [item for case in cases for item in case.body if isinstance(item, ast.FunctionDef)]
    return {method.name for method in methods if method.name.startswith("test")}
