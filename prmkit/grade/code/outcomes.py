"""What a program does on the inputs of a problem's tests, whatever its form, and the verdict that follows from it.

A form is a function, a method of ``class Solution``, or a script that reads its standard input and prints.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from prmkit.errors import InputError
from prmkit.grade.code.prelude import after_future_imports
from prmkit.grade.code.verdicts import TestResult, Verdict
from prmkit.sandbox import isolate, values
from prmkit.sandbox.isolate import Limits, Outcome, Output
from prmkit.sandbox.packages import needs_packages
from prmkit.sandbox.policy import STRICT, Policy
from prmkit.tree import Case, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a rule runs programs: the seconds of one test, the memory, and the imports before the program.

    ``crash_fails``: whether a script that ends in an error has failed, or what it wrote before counts.
    """

    seconds: float
    memory_mb: int = 4096
    prelude: str = ""
    crash_fails: bool = True


def outcomes_of(
    problem: Problem, program: str, cases: Sequence[Case], terms: Terms, *, policy: Policy = STRICT
) -> Generator[Outcome, None, None]:
    """What a program does on the inputs of some tests: the value of a function, the text that a script writes.

    A caller that has seen enough closes it.

    Raises:
        InputError: the machine offers no isolation, and the policy does not allow to go without.
    """
    whole = after_future_imports(terms.prelude, program)
    limits = Limits(memory_mb=terms.memory_mb, packages=needs_packages(whole), policy=policy)
    entry = entry_of(problem, program)
    if entry is not None:
        limits = replace(limits, seconds=(terms.seconds + 1) * len(cases) + 5)
        inputs, each = [case.input for case in cases], [terms.seconds] * len(cases)
        yield from isolate.iter_calls(whole, entry, inputs, limits, each=each)
        return
    limits = replace(limits, seconds=terms.seconds)
    files = {"input_file": problem.input_file, "output_file": problem.output_file}
    for case in cases:
        found = isolate.run_script(whole, case.input, limits, **files)
        error = None if not terms.crash_fails and _has_answered(found) else found.error
        text = values.encode(found.text) if error is None else None
        yield Outcome(value_json=text, error=error, seconds=found.seconds)


def _has_answered(found: Output) -> bool:
    return found.error not in ("Timeout", "OutputTooLarge") and bool(found.text.strip())


def verdict_of(problem: Problem, outcomes: Generator[Outcome, None, None], same: Callable[[Any, Any], bool]) -> Verdict:
    """The verdict from the outcomes of all tests; it ends at the first that is not the ``same`` as what is expected.

    Raises:
        InputError: the problem has no tests, one has no output, or that of a function is no text of a value.
    """
    if not problem.tests:
        raise InputError("the problem has no tests", where=problem.id, cure="Grade problems that have some.")
    results: list[TestResult] = []
    with closing(outcomes):
        for case, outcome in zip(problem.tests, outcomes, strict=True):
            if case.output is None:
                raise InputError("a test has no output", where=problem.id, got=case.input)
            reason = compared(outcome, expected_of(problem, case), same)
            results.append(TestResult(name=str(len(results)), reason=reason, seconds=outcome.seconds))
            if reason:
                return Verdict(status="timeout" if reason == "Timeout" else "fail", tests=tuple(results))
    return Verdict(status="pass", tests=tuple(results))


def expected_of(problem: Problem, case: Case) -> Any:
    """The value that a function must return, or the text that a script must print.

    Raises:
        InputError: it is no text of a value.
    """
    if problem.entry_point is None:
        return case.output
    try:
        return values.decode(case.output or "")
    except (ValueError, RecursionError):
        raise InputError("an expected output is not JSON", where=problem.id, got=case.output) from None


def compared(outcome: Outcome, expected: Any, same: Callable[[Any, Any], bool]) -> str:
    """Why an outcome is not the expected one: its error, or what it is instead; nothing if ``same`` says that it is.

    What an untrusted program returned need not be a value, and need not compare.
    """
    if outcome.error is not None:
        return outcome.error
    try:
        found = values.decode(outcome.value_json or "")
        right = same(found, expected)
    except (ValueError, RecursionError):
        return "BadReply"
    except Exception as error:
        return f"not comparable ({type(error).__name__})"
    return "" if right else f"gave {_shown(found)}, not {_shown(expected)}"


def without_layout(outcome: Outcome) -> Outcome:
    """What a script did, without the blanks around its lines and its text: two that differ in these do the same."""
    if outcome.value_json is None:
        return outcome
    lines = str(values.decode(outcome.value_json)).strip().split("\n")
    return replace(outcome, value_json=values.encode("\n".join(map(str.strip, lines))))


def entry_of(problem: Problem, program: str) -> str | None:
    """How to call a program: a class that it has goes before a function, as in all runners of these corpora."""
    name = problem.entry_point
    is_method = name is not None and "()." not in name and "class Solution" in program
    return f"Solution().{name}" if is_method else name


def _shown(value: Any) -> str:
    try:
        return repr(value)[:100]
    except (ValueError, RecursionError):  # an integer of more digits than Python writes
        return f"a value of type {type(value).__name__}"
