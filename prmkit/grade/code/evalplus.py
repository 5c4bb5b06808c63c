"""The rules of HumanEval+ and MBPP+: outputs are those of the reference solution, within its tolerances.

Kept from evalplus, so that verdicts agree: base and plus inputs run in two processes; a float tolerance of 1e-6 where
the reference returns floats, which then holds for the inputs after it as well; the special oracles; the limit of a call
is 4 s or 4 times the reference's own time. Different: expected outputs stay in this process, where no program can read
them; every call gets fresh arguments; a program is ended at its first failure.

Source: evalplus 0.3.1, evalplus/eval/__init__.py and _special_oracle.py (Liu et al. 2023, arXiv 2305.01210). Its limit
of 1 s in that version is 4 s since; a loaded machine needs it.
"""

import contextlib
import gzip
import hashlib
import json
import math
import os
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prmkit.errors import InputError
from prmkit.grade.code.verdicts import Status, TestResult, Verdict
from prmkit.run.files import cache_folder
from prmkit.sandbox import isolate, values
from prmkit.sandbox.isolate import Limits
from prmkit.sandbox.packages import needs_packages
from prmkit.sandbox.policy import STRICT, Policy
from prmkit.tree import Case, Problem

_MIN_SECONDS, _REFERENCE_FACTOR, _SECONDS_AT_MOST, _MARGIN = 4.0, 4.0, 60.0, 2.0
_REFERENCE_SECONDS = 120.0
_MEMORY_MB = 4096
_CLOCK = "program"
"""By which clock the seconds of a reference were measured that is kept: not by the wall's, as at first."""

_NOT_NONE = frozenset(("check_str", "text_match_three", "text_starta_endb"))
_SET_EQUAL = frozenset(
    (
        "similar_elements",
        "find_char_long",
        "common_in_nested_lists",
        "extract_singly",
        "larg_nnum",
        "intersection_array",
        "find_dissimilar",
        "Diff",
    )
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the reference gives for some inputs, and its seconds for each."""

    outputs: tuple[Any, ...]
    seconds: tuple[float, ...]


_TOO_LARGE = ("MemoryError", "OutputTooLarge")
_UNKNOWN = object()
"""The output of a reference that is too large to be sent (of Mbpp/255, over 1 GB): the input is left out."""

_expected: dict[str, Expected] = {}
_lock = threading.Lock()


def judge(problem: Problem, program: str, *, policy: Policy = STRICT) -> Verdict:
    """The verdict on a whole program: it passes if it passes on the base inputs and on the plus inputs.

    Raises:
        InputError: the problem has no inputs or no reference, or that fails on an input.
    """
    if not problem.tests:
        raise InputError("the problem has no inputs", where=problem.id, expected="base_input and plus_input")
    base, results = _run(problem, program, True, policy)
    if base != "pass":
        return Verdict(status=base, base=base, tests=results)
    plus, more = _run(problem, program, False, policy)
    return Verdict(status=plus, base=base, tests=results + more)


def judge_part(problem: Problem, program: str, *, public: bool, policy: Policy = STRICT, sets: bool = True) -> Verdict:
    """The verdict on the base inputs alone (``public``), or on the plus inputs alone.

    ``sets=False`` compares exactly where order does not matter since evalplus 0.3: the verdicts that were published
    with MBPP+ v0.1.0 are of that kind.
    """
    status, results = _run(problem, program, public, policy, sets)
    return Verdict(status=status, tests=results)


def expected_of(problem: Problem, *, public: bool, policy: Policy = STRICT) -> Expected:
    """The reference's outputs on the base or the plus inputs: computed once, and kept in ``$PRMKIT_CACHE``.

    Raises:
        InputError: there is no reference, or it fails on an input.
    """
    reference = problem.reference
    if reference is None:
        raise InputError("the problem has no reference solution", where=problem.id, expected="canonical_solution")
    inputs = [case.input for case in _cases(problem, public)]
    key = hashlib.sha256(json.dumps([_CLOCK, reference, _entry(problem), inputs]).encode()).hexdigest()
    with _lock:
        known = _expected.get(key)
    if known is None:
        file = cache_folder() / "expected" / f"{key}.json.gz"
        outcomes = _read(file) or _run_reference(problem, reference, inputs, policy)
        if not file.exists():
            _write(file, outcomes)
        outputs = tuple(_UNKNOWN if text is None else values.decode(text) for text, _ in outcomes)
        known = Expected(outputs, tuple(seconds for _, seconds in outcomes))
        with _lock:
            _expected[key] = known
    return known


def _run_reference(
    problem: Problem, reference: str, inputs: Sequence[str], policy: Policy
) -> list[tuple[str | None, float]]:
    limits = Limits(seconds=_REFERENCE_SECONDS, memory_mb=_MEMORY_MB, policy=policy)
    outcomes = isolate.run_calls(reference, _entry(problem), inputs, limits)
    for number, outcome in enumerate(outcomes):
        if outcome.value_json is None and outcome.error not in _TOO_LARGE:
            raise InputError(
                f"the reference fails on input {number} ({outcome.error})", where=problem.id, got=inputs[number]
            )
    return [(outcome.value_json, outcome.seconds) for outcome in outcomes]


def _read(file: Path) -> list[tuple[str | None, float]] | None:
    try:
        return [(text, seconds) for text, seconds in json.loads(gzip.decompress(file.read_bytes()))]
    except (OSError, ValueError, TypeError, EOFError):
        return None


def _write(file: Path, outcomes: list[tuple[str | None, float]]) -> None:
    """Keep what took time to compute, as evalplus does; where that is not possible, it is computed again."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        partial.write_bytes(gzip.compress(json.dumps(outcomes).encode(), compresslevel=1))
        partial.replace(file)


def _run(
    problem: Problem, program: str, public: bool, policy: Policy, sets: bool = True
) -> tuple[Status, tuple[TestResult, ...]]:
    cases, entry = _cases(problem, public), _entry(problem)
    if not cases:
        return "pass", ()
    expected = expected_of(problem, public=public, policy=policy)
    each = [max(_MIN_SECONDS, _REFERENCE_FACTOR * seconds) for seconds in expected.seconds]
    # Where the reference alone takes a minute on this machine, a right program may too.
    whole = max(min(_SECONDS_AT_MOST, sum(each)), _REFERENCE_FACTOR * sum(expected.seconds))
    limits = Limits(
        seconds=whole + _MARGIN,
        memory_mb=_MEMORY_MB,
        packages=needs_packages(program),
        policy=policy,
    )
    oracle, results, spent = Oracle(problem, sets=sets), [], 0.0
    inputs = [case.input for case in cases]
    with closing(isolate.iter_calls(program, entry, inputs, limits, each=each)) as outcomes:
        for number, outcome in enumerate(outcomes):
            spent += outcome.seconds
            if expected.outputs[number] is _UNKNOWN:
                continue
            reason = outcome.error or oracle.fault(inputs[number], outcome.value_json or "", expected.outputs[number])
            kind = "base" if public else "plus"
            results.append(TestResult(name=f"{kind}[{number}]", reason=reason, seconds=outcome.seconds))
            if reason:
                # One late call is a failure; only a program that uses up its whole time is late (as there).
                late = reason == "Timeout" and spent >= limits.seconds - 0.01
                return "timeout" if late else "fail", tuple(results)
    return "pass", tuple(results)


def _cases(problem: Problem, public: bool) -> Sequence[Case]:
    return [case for case in problem.tests if case.public is public]


def _entry(problem: Problem) -> str:
    if problem.entry_point is None:
        raise InputError("the problem has no entry point", where=problem.id, expected="the name of a function")
    return problem.entry_point


class Oracle:
    """Compares the outputs of one program, in order, with those of the reference."""

    def __init__(self, problem: Problem, *, sets: bool = True) -> None:
        self._sets = sets
        self._name = problem.entry_point or ""
        self._mbpp = problem.id.startswith("Mbpp/")
        self._atol = problem.atol

    def fault(self, given: str, returned: str, expected: Any) -> str:
        """Why the output is wrong; nothing if it is right."""
        try:
            right = self._right(values.decode(given), values.decode(returned), expected)
        # What a program returned may not compare (a set of lists, numbers beyond floats): evalplus counts it as wrong.
        except Exception as error:
            return f"not comparable ({type(error).__name__})"
        return "" if right else f"returned {returned[:100]}, not {str(expected)[:100]}"

    def _right(self, given: list[Any], out: Any, expected: Any) -> bool:
        if self._name == "find_zero" and not self._mbpp:
            return abs(_polynomial(given[0], out)) <= self._atol
        exact = self._special(given, out, expected) if self._mbpp else bool(out == expected)
        if self._atol == 0 and _is_floats(expected):
            self._atol = 1e-6  # for the inputs after this one too
        if exact or self._atol == 0:
            return exact
        if type(out) is not type(expected) or (isinstance(expected, list | tuple) and len(out) != len(expected)):
            return False
        return bool(np.allclose(out, expected, rtol=1e-07, atol=self._atol))

    def _special(self, given: list[Any], out: Any, expected: Any) -> bool:
        equal = bool(out == expected)
        if self._name == "are_equivalent":
            return True
        if self._name == "sum_div":
            return equal or out == 0
        if self._name == "surface_Area":
            return equal or abs(out - _surface_area(*given)) <= self._atol
        if self._name == "digit_distance_nums":
            return equal or out == _digit_distance(*given)
        if self._sets and self._name in _SET_EQUAL:
            return set(out) == set(expected)
        if self._name in _NOT_NONE:
            wanted = expected is not None
            return out == wanted if isinstance(out, bool) else wanted == (out is not None)
        return equal


def _is_floats(value: Any) -> bool:
    if isinstance(value, list | tuple) and value:
        return all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def _polynomial(coefficients: Sequence[float], x: float) -> float:
    return sum(coefficient * math.pow(x, power) for power, coefficient in enumerate(coefficients))


def _surface_area(base: float, height: float) -> int:
    """Of a square pyramid whose height runs from the base to the apex."""
    slant = math.sqrt((base / 2) ** 2 + height**2)
    return round(base**2 + 4 * (base * slant) / 2)


def _digit_distance(one: int, other: int) -> int:
    """Digit by digit, the shorter number filled with zeros."""
    size = max(len(str(one)), len(str(other)))
    return sum(abs(int(a) - int(b)) for a, b in zip(str(one).zfill(size), str(other).zfill(size), strict=True))
