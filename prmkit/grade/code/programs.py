"""The judge of code: what a program does, and whether that is right.

Each problem names its rule; every rule makes its verdict in this process, from the values that programs return.
"""

import os
import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prmkit.errors import InputError
from prmkit.grade.code import (
    apps,
    asserts,
    bigcodebench,
    code_contests,
    evalplus,
    extraction,
    livecodebench,
    taco,
    votes,
)
from prmkit.grade.code.equality import same_text
from prmkit.grade.code.outcomes import Terms, entry_of, outcomes_of, without_layout
from prmkit.grade.code.prelude import after_future_imports
from prmkit.grade.code.source import bound, parsed
from prmkit.grade.code.verdicts import TestResult, Verdict
from prmkit.grade.config import Vote
from prmkit.grade.found import Found, texts
from prmkit.sandbox import isolate, values
from prmkit.sandbox.isolate import Limits, Outcome
from prmkit.sandbox.packages import needs_packages
from prmkit.sandbox.policy import STRICT, Policy
from prmkit.tree import Case, Problem, Rule

_SECONDS, _SECONDS_A_CALL, _SECONDS_AT_MOST = 4.0, 0.1, 60.0
_CACHED = 100_000

_ROOM = threading.BoundedSemaphore(os.cpu_count() or 1)
"""Programs that run at once, whoever asks for them: more would run into their time limits."""

_RULES: dict[Rule, Callable[..., Verdict]] = {
    "apps": apps.judge,
    "asserts": asserts.judge,
    "bigcodebench": bigcodebench.judge,
    "code-contests": code_contests.judge,
    "evalplus": evalplus.judge,
    "livecodebench": livecodebench.judge,
    "taco": taco.judge,
}
"""The judges of other people's benchmarks; ``calls`` is CodeGrader's own."""

_RUNS: dict[Rule, Callable[..., Iterable[Outcome]]] = {
    "apps": apps.run,
    "code-contests": code_contests.run,
    "livecodebench": livecodebench.run,
    "taco": taco.run,
}
"""How programs are run for a vote where it takes more than a call: with imports before them, or as scripts."""


class CodeGrader:
    """The judge of programs.

    Args:
        policy: on what terms programs are run.
        vote: when two programs are the same: if they do the same on every public input, or if their text is the same.
    """

    def __init__(self, *, policy: Policy = STRICT, vote: Vote = "behaviour") -> None:
        self._policy, self._vote = policy, vote
        self._runs: dict[Hashable, tuple[Outcome, ...]] = {}
        self._verdicts: dict[Hashable, Verdict] = {}
        self._lock = threading.Lock()

    def found(self, problem: Problem, solutions: Sequence[str]) -> list[Found | None]:
        """The program of each solution, and the rule that found it (see extraction.py)."""
        return [extraction.find(problem, solution) for solution in solutions]

    def answers(self, problem: Problem, solutions: Sequence[str]) -> list[str | None]:
        """The program of each solution."""
        return texts(self.found(problem, solutions))

    def classes(self, problem: Problem, answers: Sequence[str | None]) -> list[int | None]:
        """By behaviour on the public inputs (votes.py); without any, and in a vote on text, by text: none is run."""
        cases = tuple(case for case in problem.tests if case.public)
        if not cases or self._vote == "text":
            return votes.by_text(answers)
        return votes.by_behaviour(answers, self._each(answers, lambda program: self._run(problem, program, cases)))

    def correct(self, problem: Problem, answers: Sequence[str | None]) -> list[bool]:
        """Whether each program is right by the problem's rule. What cannot be judged here is not (see verdicts)."""
        return [verdict is not None and verdict.passed for verdict in self.verdicts(problem, answers)]

    def verdicts(self, problem: Problem, answers: Sequence[str | None]) -> list[Verdict | None]:
        """The verdict on each program; None where there is none.

        Raises:
            InputError: the problem lacks what its rule judges by.
        """
        rule = _RULES.get(problem.rule)
        if rule is None:
            _check_outputs(problem)
        if problem.entry_point is not None and (rule is None or problem.rule in _RUNS):
            _check_calls(problem, problem.entry_point)

        def judged(program: str) -> Verdict:
            with self._lock:
                known = self._verdicts.get((problem, program))
            if known is None:
                known = (
                    self._judge_calls(problem, program) if rule is None else rule(problem, program, policy=self._policy)
                )
                self._keep(self._verdicts, (problem, program), known)
            return known

        return self._each(answers, judged)

    def timeouts(self, problem: Problem) -> int:
        """None: a program that runs out of time is judged by that."""
        return 0

    def correct_on_base(self, problem: Problem, answers: Sequence[str | None]) -> list[bool] | None:
        """Whether each program passes the base tests; None unless the problem's rule tells them apart (evalplus)."""
        if problem.rule != "evalplus":
            return None
        return [verdict is not None and verdict.base == "pass" for verdict in self.verdicts(problem, answers)]

    def unsupported(self, problem: Problem) -> str:
        """Why this machine cannot judge programs of the problem; nothing if it can."""
        if problem.rule != "bigcodebench":
            return ""
        return bigcodebench.unsupported(problem, policy=self._policy)

    def close(self) -> None:
        """End the processes that programs are forked from."""
        isolate.close()

    def _judge_calls(self, problem: Problem, program: str) -> Verdict:
        """Hidden tests run only if the public ones pass."""
        results: list[TestResult] = []
        for public in (True, False):
            cases = tuple(case for case in problem.tests if case.public is public)
            for case, outcome in zip(cases, self._run(problem, program, cases), strict=True):
                right = outcome.value_json is not None and _right(problem, case, outcome.value_json)
                reason = outcome.error or ("" if right else f"returned {(outcome.value_json or '')[:100]}")
                results.append(TestResult(name=str(len(results)), reason=reason, seconds=outcome.seconds))
            failed = next((result for result in results if result.reason), None)
            if failed is not None:
                return Verdict(status="timeout" if failed.reason == "Timeout" else "fail", tests=tuple(results))
        return Verdict(status="pass", tests=tuple(results))

    def _run(self, problem: Problem, program: str, cases: tuple[Case, ...]) -> tuple[Outcome, ...]:
        """What a program does on the inputs of some tests; each program runs once on the same inputs."""
        if not cases:
            return ()
        inputs = [case.input for case in cases]
        # Some rules put imports before it, and some problems name files.
        key = (problem.rule, problem.entry_point, problem.input_file, problem.output_file, program, *inputs)
        with self._lock:
            known = self._runs.get(key)
        if known is None:
            entry = _entry(problem, program) if problem.rule == "calls" else problem.entry_point
            if problem.rule in _RUNS:
                known = tuple(_RUNS[problem.rule](problem, program, cases, policy=self._policy))
            elif entry is None:
                known = tuple(outcomes_of(problem, program, cases, Terms(seconds=_SECONDS), policy=self._policy))
            else:
                if entry.startswith("Solution()."):  # LeetCode's form, which takes imports for granted
                    program = after_future_imports(livecodebench.PRELUDE, program)
                limits = Limits(
                    seconds=min(_SECONDS + _SECONDS_A_CALL * len(inputs), _SECONDS_AT_MOST),
                    packages=needs_packages(program),
                    policy=self._policy,
                )
                known = tuple(isolate.run_calls(program, entry, inputs, limits))
            if entry is None:
                known = tuple(map(without_layout, known))
            self._keep(self._runs, key, known)
        return known

    def _each(self, answers: Sequence[str | None], work: Callable[[str], Any]) -> list[Any]:
        """The work on each program, None for none; every different program once, several side by side."""
        given = list(dict.fromkeys(answer for answer in answers if answer is not None))

        def one(program: str) -> Any:
            with _ROOM:
                return work(program)

        with ThreadPoolExecutor(min(len(given), os.cpu_count() or 1) or 1) as threads:
            found = dict(zip(given, threads.map(one, given), strict=True))
        return [None if answer is None else found[answer] for answer in answers]

    def _keep(self, cache: dict[Hashable, Any], key: Hashable, found: Any) -> None:
        with self._lock:
            if len(cache) > _CACHED:
                cache.clear()
            cache[key] = found


def _entry(problem: Problem, program: str) -> str | None:
    """The function, or a method of ``class Solution`` where a program has no such function."""
    tree = parsed(program) if "class Solution" in program else None
    has_function = tree is not None and problem.entry_point in bound(tree)
    return problem.entry_point if has_function else entry_of(problem, program)


def _right(problem: Problem, case: Case, returned: str) -> bool:
    if problem.entry_point is None:
        return livecodebench.same_output(values.decode(returned), case.output or "")
    return same_text(returned, case.output or "")


def _check_calls(problem: Problem, entry: str) -> None:
    """Raise InputError for what no program can be called by: it would be blamed for it."""
    if not all(part.isidentifier() for part in entry.split("().", 1)):
        raise InputError("illegal entry_point", where=problem.id, got=entry, expected="a name, or Class().method")
    for case in problem.tests:
        try:
            arguments = values.decode(case.input)
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, list | tuple):
            expected = "a JSON list of arguments"
            raise InputError("illegal input of a test", where=problem.id, got=case.input, expected=expected)


def _check_outputs(problem: Problem) -> None:
    if not problem.tests:
        raise InputError("the problem has no tests", where=problem.id, cure="Grade problems that have some.")
    for case in problem.tests:
        if case.output is None:
            raise InputError("a test has no output", where=problem.id, got=case.input)
        try:
            _ = problem.entry_point is None or values.decode(case.output)
        except (ValueError, RecursionError):
            raise InputError("an expected output is not JSON", where=problem.id, got=case.output) from None
