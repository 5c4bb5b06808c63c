"""What runs in the process of an untrusted program, behind the walls: one function for each way to use a program.

``calls``   call a function on inputs; one reply ``["value", text]`` or ``["error", type]`` for each.
``answer``  the same, but inputs arrive one by one, so that a judge in another process may ask what it likes.
``judge``   run tests whose subject is a function in another process: ``["call", arguments]`` asks it.
``script``  run a program with a standard input, perhaps in a file too; its output is the reply.
``unittest`` run a program and its unittest class in one module, as BigCodeBench does.

Values cross as text (values.py). Nothing here knows an expected output but the ``judge``, which runs no program.
Standard library only.
"""

import atexit
import builtins
import contextlib
import json
import os
import random
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

from prmkit.sandbox import values

_VALUE_CAP = 1 << 24
"""Longest value a call may return, in characters of text."""


def run(request: dict[str, Any], result: int, feed: int | None) -> None:
    """Serve one request and end the process.

    Args:
        request: ``mode`` and what it needs.
        result: descriptor that replies are written to.
        feed: descriptor that ``answer`` and ``judge`` read lines from.
    """
    random.seed(0)  # a program that draws numbers draws the same ones in every run
    modes: dict[str, Callable[[dict[str, Any], int, int | None], int]] = {
        "calls": _calls,
        "answer": _answer,
        "judge": _judge,
        "script": _script,
        "unittest": _unittest,
    }
    os._exit(modes[request["mode"]](request, result, feed))


def _calls(request: dict[str, Any], result: int, feed: int | None) -> int:
    function = _function(request, result)
    for given in request["inputs"]:
        _reply(result, function(given))
    return 0


def _answer(request: dict[str, Any], result: int, feed: int | None) -> int:
    function = _function(request, result)
    for line in _lines(feed):
        _reply(result, function(*json.loads(json.loads(line))))
    return 0


def _function(request: dict[str, Any], result: int) -> Callable[..., list[str]]:
    """The function from the text of an argument list, and of named arguments, to a reply.

    Errors of the whole program are those of each call.
    """
    sys.set_int_max_str_digits(0)
    # A module that can be looked up by its name, as data classes and pickles do with their own.
    module = sys.modules["__program__"] = types.ModuleType("__program__")
    namespace = module.__dict__
    failure: str | None = None
    function: Any = None
    # BaseException: sys.exit and the like are an outcome of the program, not of this harness.
    try:
        exec(compile(request["program"], "<program>", "exec"), namespace)
        function = _entry(namespace, request["entry_point"])
    except BaseException as error:
        failure = type(error).__name__[:80]

    def call(given: str, named: str = "{}") -> list[str]:
        if failure is not None:
            return ["error", failure]
        try:
            text = values.encode(function(*values.decode(given), **values.decode(named)))
        except BaseException as error:
            return ["error", type(error).__name__[:80]]
        return ["value", text] if len(text) <= _VALUE_CAP else ["error", "OutputTooLarge"]

    return call


def _entry(namespace: dict[str, Any], entry_point: str) -> Any:
    """``f``, or ``Solution().f``."""
    holder, dot, method = entry_point.partition("().")
    return getattr(namespace[holder](), method) if dot else namespace[entry_point]


def _judge(request: dict[str, Any], result: int, feed: int | None) -> int:
    answers = _lines(feed)

    def subject(*arguments: Any, **named: Any) -> Any:
        _reply(result, ["call", json.dumps([values.encode(list(arguments)), values.encode(named)])])
        kind, text = json.loads(next(answers))
        if kind == "error":
            raise RuntimeError(text)
        return values.decode(text)

    namespace: dict[str, Any] = {"__name__": "__tests__", request["entry_point"]: subject}
    try:
        exec(compile(request["program"], "<tests>", "exec"), namespace)
    except BaseException as error:
        _reply(result, ["error", type(error).__name__[:80]])
        return 0
    _reply(result, ["value", "null"])
    return 0


def _script(request: dict[str, Any], result: int, feed: int | None) -> int:
    box, given_file, left_file = os.getcwd(), request.get("input_file"), request.get("output_file")
    name = given_file or "stdin"
    with open(name, "w+") as file:
        file.write(request["stdin"])
    given = os.open(name, os.O_RDONLY)
    if not given_file:
        os.unlink(name)
    os.dup2(given, 0)
    os.dup2(result, 1)
    os.close(given)
    os.close(result)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # lives as long as the process
    sys.stdout = written = open(1, "w", closefd=False)  # noqa: SIM115
    sys.argv = ["program.py"]
    sys.set_int_max_str_digits(0)
    atexit._clear()
    vars(builtins).update(exit=sys.exit, quit=sys.exit)  # which only an interpreter with site packages has
    code = 0
    module = sys.modules["__main__"]
    module.__dict__.clear()
    module.__dict__.update({"__name__": "__main__", "__builtins__": __builtins__})
    try:
        exec(compile(request["program"], "program.py", "exec"), module.__dict__)
    except SystemExit:
        code = 0  # whatever the code: what was printed counts
    except BaseException as error:
        code = 2 if isinstance(error, MemoryError) else 1
    _end_as_python_does(written)
    if left_file:
        module.__dict__.clear()  # closes what the program left open
        with contextlib.suppress(OSError), open(os.path.join(box, left_file), "rb") as file:
            _write(1, file.read())
    return code


def _end_as_python_does(written: Any) -> None:
    """Wait for threads, run exit functions and write out buffers: os._exit does none of it."""
    for end in (threading._shutdown, atexit._run_exitfuncs):  # type: ignore[attr-defined]
        with contextlib.suppress(BaseException):
            end()
    for buffer in (sys.stdout, written, sys.__stdout__):
        with contextlib.suppress(BaseException):
            buffer.flush()  # type: ignore[union-attr]


def _unittest(request: dict[str, Any], result: int, feed: int | None) -> int:
    """Replies ``["test", name, reason]`` (no reason: passed), and last ``["done", seal]``.

    The program shares this process with its tests, since these patch its modules. So it could make them pass: what it
    would change for that, the classes of unittest and the built-in functions, is compared with what they were.
    """
    import unittest

    seal, write = request.pop("seal"), os.write
    before = _fingerprint(unittest)
    module = types.ModuleType("__test__")
    sys.modules["__test__"] = module
    module.__dict__.update({"__builtins__": __builtins__, "__file__": "__test__.py", "os": os})
    reasons: dict[str, str] = {}

    class Recorder(unittest.TestResult):
        def addError(self, test: Any, err: Any) -> None:
            reasons[_name(test)] = f"{err[0].__name__}: {err[1]}"[:200]

        def addFailure(self, test: Any, err: Any) -> None:
            self.addError(test, err)

        def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
            if err is not None:
                self.addError(test, err)

        def stopTest(self, test: Any) -> None:
            reasons.setdefault(_name(test), "")

    try:
        exec(compile(request["program"], "__test__.py", "exec"), module.__dict__)
        cases = unittest.TestLoader().loadTestsFromTestCase(module.__dict__["TestCases"])
        cases.run(Recorder())
    except BaseException as error:
        _reply(result, ["error", type(error).__name__[:80]])
        return 0
    if _fingerprint(unittest) != before:
        _reply(result, ["error", "Tampered"])
        return 0
    lines = [json.dumps(["test", name, reason]) for name, reason in reasons.items()] + [json.dumps(["done", seal])]
    write(result, ("\n".join(lines) + "\n").encode()[:65536])
    return 0


def _name(test: Any) -> str:
    return str(getattr(test, "_testMethodName", test))


def _fingerprint(unittest: Any) -> list[int]:
    owners = [unittest.TestCase, unittest.TestSuite, unittest.TestResult, unittest.TestLoader, unittest.case._Outcome]
    parts = [part for owner in owners for _, part in sorted(vars(owner).items())]
    return [id(part) for part in parts] + [id(vars(builtins)[name]) for name in ("isinstance", "len", "exec", "type")]


def _lines(feed: int | None) -> Iterator[bytes]:
    if feed is None:
        return
    with open(feed, "rb", buffering=0, closefd=False) as file:
        buffered = b""
        while block := file.read(1 << 16):
            buffered += block
            *whole, buffered = buffered.split(b"\n")
            yield from whole


def _reply(result: int, reply: list[str]) -> None:
    _write(result, json.dumps(reply).encode() + b"\n")


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
