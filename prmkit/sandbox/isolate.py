"""Untrusted programs run in fresh processes behind walls; only the values they return come back.

The verdict is never made where the program runs: the caller compares returned values with expected ones in this
process, so a program that prints a verdict, exits early or forges its reply can only ever return values. (The one
exception, unittest classes that patch the program's own modules, is explained at ``run_unittest``.)
"""

import json
import secrets
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from prmkit.sandbox.processes import DEFAULT, Limits, ProgramRun, close, layers

__all__ = [
    "Limits",
    "Outcome",
    "Output",
    "close",
    "iter_calls",
    "layers",
    "run_calls",
    "run_judge",
    "run_script",
    "run_unittest",
]

_OUTPUT_CAP = 8 << 20
"""Bytes of output that are read from one script; more is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one call of a program came to: exactly one of the first two is set.

    ``value_json`` is the text of a value (values.py), at most 16 MiB, written by the untrusted side. ``error`` is the
    type name of the exception, or Timeout, Exit (the program ended its process), Killed (by a signal: memory, CPU),
    BadReply, OutputTooLarge. ``seconds`` is what the program had for it (clock.py).
    """

    value_json: str | None = None
    error: str | None = None
    seconds: float = field(default=0.0, compare=False)


def run_calls(
    program: str, entry_point: str, inputs: Sequence[str], limits: Limits = DEFAULT, **changed: Any
) -> list[Outcome]:
    """All outcomes of iter_calls; ``changed`` are fields of ``limits`` by name."""
    return list(iter_calls(program, entry_point, inputs, replace(limits, **changed)))


def iter_calls(
    program: str, entry_point: str, inputs: Sequence[str], limits: Limits = DEFAULT, *, each: Sequence[float] = ()
) -> Generator[Outcome, None, None]:
    """The outcome of ``entry_point(*arguments)`` for each input as it comes, all called in one fresh process, in order.

    When it is exhausted or closed, every process of the program is dead and its temporary folder is gone: a caller that
    has seen enough closes it. Safe to use from many threads at once.

    Args:
        program: Python source; its top level runs once, before the first call.
        entry_point: the function to call, or ``Class().method``.
        inputs: text (values.py) of the argument list of each call.
        limits: of the whole program.
        each: the seconds that the program may have for each call; by default only those that it may have in all.

    Raises:
        InputError: the machine offers no isolation, and the policy of ``limits`` does not allow to go without.
        RunError: the zygote does not start or does not answer.
    """
    request = {"mode": "calls", "program": program, "entry_point": entry_point, "inputs": list(inputs)}
    with closing(ProgramRun(request, limits)) as run:
        for index in range(len(inputs)):
            start = run.seconds()
            line = run.line(each[index] if each else None)
            outcome = _outcome(line, run, run.seconds() - start)
            if line is None or outcome.error == "BadReply":
                yield from [outcome] * (len(inputs) - index)
                return
            yield outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a script wrote to its standard output, and why it did not end well: None, or an error as in Outcome."""

    text: str
    error: str | None
    seconds: float


def run_script(
    program: str, stdin: str, limits: Limits = DEFAULT, *, input_file: str | None = None, output_file: str | None = None
) -> Output:
    """Run a program as ``__main__`` with a standard input. A call of ``sys.exit`` is a good end, whatever its code.

    Args:
        program: Python source.
        stdin: what it may read.
        limits: of the program.
        input_file: the name of a file in its folder that holds the same.
        output_file: what it leaves in the file of that name is output too.

    Raises:
        InputError: the machine offers no isolation, and the policy of ``limits`` does not allow to go without.
        RunError: the zygote does not start or does not answer.
    """
    files = {"input_file": input_file, "output_file": output_file}
    with closing(ProgramRun({"mode": "script", "program": program, "stdin": stdin, **files}, limits)) as run:
        data = run.rest(_OUTPUT_CAP)
        status, seconds = run.status(), run.seconds()
    errors = {"Exit0": None, "Exit1": "Error", "Exit2": "MemoryError"}
    error = "OutputTooLarge" if len(data) >= _OUTPUT_CAP else errors.get(status, status.rstrip("0123456789"))
    return Output(text=data.decode(errors="replace"), error=error, seconds=seconds)


def run_judge(tests: str, program: str, entry_point: str, limits: Limits = DEFAULT) -> Outcome:
    """Run tests that call ``entry_point``, which lives with the program in another process and only ever answers.

    The tests' process is walled in as well (they come from a data file), sees the installed packages, and holds no code
    of the program. The value is null if every assertion held, the error otherwise that of the first that did not.
    """
    judge = ProgramRun(
        {"mode": "judge", "program": tests, "entry_point": entry_point}, replace(limits, packages=True), feed=True
    )
    with closing(judge):
        answerer = ProgramRun({"mode": "answer", "program": program, "entry_point": entry_point}, limits, feed=True)
        with closing(answerer):
            while True:
                line = judge.line(None)
                kind, text = _parsed(line)
                if kind != "call" or text is None:
                    return _outcome(line, judge, answerer.seconds())
                answerer.send(json.dumps(text).encode())
                answer = answerer.line(None)
                if answer is None or _parsed(answer)[0] not in ("value", "error"):
                    return Outcome(error=_ending(answerer.status()), seconds=answerer.seconds())
                judge.send(answer)


def run_unittest(program: str, limits: Limits = DEFAULT) -> dict[str, str] | Outcome:
    """Run a module that ends in ``class TestCases(unittest.TestCase)``: the reason why each test failed, "" for none.

    The tests patch the program's modules and look at its files, so they must share its process, and their result is
    that process's word: it carries a seal that the program is not given, and counts only if the classes of unittest
    are as they were. A program that searches its own process for the seal could forge it; no other rule has this gap.

    Returns an Outcome with an error instead where the process ended, timed out, or was tampered with.
    """
    seal = secrets.token_hex(16)
    with closing(ProgramRun({"mode": "unittest", "program": program, "seal": seal}, limits)) as run:
        reasons: dict[str, str] = {}
        while True:
            line = run.line(None)
            try:
                kind, *rest = json.loads(line) if line is not None else ("error", _ending(run.status()))
            except (ValueError, TypeError, RecursionError):
                kind, rest = "error", ["BadReply"]
            if kind == "test" and len(rest) == 2:
                reasons[str(rest[0])] = str(rest[1])
            elif kind == "done":
                if rest == [seal]:
                    return reasons
                return Outcome(error="BadReply", seconds=run.seconds())
            else:
                return Outcome(error=str(rest[0])[:80] if rest else "BadReply", seconds=run.seconds())


def _parsed(line: bytes | None) -> tuple[str | None, str | None]:
    """ResultKind and text of an untrusted reply; None for what is none."""
    try:
        kind, text = json.loads(line or b"")
    except (ValueError, TypeError, RecursionError):
        return None, None
    return (kind, text) if isinstance(kind, str) and isinstance(text, str) else (None, None)


def _outcome(line: bytes | None, run: ProgramRun, seconds: float) -> Outcome:
    if line is None:
        return Outcome(error=_ending(run.status()), seconds=seconds)
    kind, text = _parsed(line)
    if kind == "value":
        return Outcome(value_json=text, seconds=seconds)
    return Outcome(error=text[:80] if kind == "error" and text is not None else "BadReply", seconds=seconds)


def _ending(status: str) -> str:
    return status.rstrip("0123456789")
