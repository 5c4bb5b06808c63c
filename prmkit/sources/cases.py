"""The tests of a programming problem, from the forms that corpora give them."""

import ast
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from prmkit.errors import InputError
from prmkit.tree import Case

_REQUEST = (
    "Solve it step by step, in one paragraph a step. End with the whole Python program in one fenced block, without "
    "blank lines in it."
)


def cases_of(
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    entry_point: str | None,
    where: str,
    *,
    public: int | None = None,
    most: int | None = None,
) -> list[Case]:
    """A test for each of the first pairs.

    Of a function, an input is its list of arguments, and an output that is a list of one value stands for that value
    if all are (APPS wraps them so). Of a whole program, input and output are what it reads and prints; a list of lines
    is joined.

    Args:
        inputs: all that the problem has, whatever ``most`` says: what a test means may not depend on how many are kept.
        outputs: one for each input.
        entry_point: the function; None of a whole program.
        where: their place.
        public: the first so many may be seen by a search; without, all.
        most: how many are kept; without, all.

    Raises:
        InputError: inputs and outputs differ in number, or one that is kept cannot be read.
    """
    if len(inputs) != len(outputs):
        raise InputError("inputs and outputs differ in number", where=where, got=(len(inputs), len(outputs)))
    pairs: list[tuple[str, str]]
    if entry_point is None:
        pairs = [(_text(given, where), _text(out, where)) for given, out in zip(inputs[:most], outputs, strict=False)]
    else:
        wrapped = all(isinstance(output, list) and len(output) == 1 for output in outputs)
        pairs = [
            (_json(_arguments(given, where), where), _json(output[0] if wrapped else output, where))
            for given, output in zip(inputs[:most], outputs, strict=False)
        ]
    shown = len(pairs) if public is None else public
    return [Case(input=given, output=out, public=index < shown) for index, (given, out) in enumerate(pairs)]


def asked(prompt: str, *, ask: bool) -> str:
    """The problem, and with ``ask`` what a model shall write: steps, and the program as the last of them."""
    return f"{prompt}\n\n{_REQUEST}" if ask else prompt


def json_column(text: Any, where: str, column: str) -> Any:
    """The value of a column that holds JSON as text; None for an empty one.

    Raises:
        InputError: it is no JSON text.
    """
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise InputError(f"illegal {column}", where=where, got=text, expected="JSON as text")
    try:
        with _integers_of_any_length():
            return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{column} is not JSON ({error})", where=where, got=text) from None


def pairs_of(tests: Any, where: str, column: str) -> tuple[Sequence[Any], Sequence[Any], str | None]:
    """Inputs, outputs and the function's name of a test column in the form of APPS and TACO.

    Raises:
        InputError: it is of another form.
    """
    if tests is None:
        return [], [], None
    if not isinstance(tests, dict):
        raise InputError(f"illegal {column}", where=where, got=tests, expected="an object with inputs and outputs")
    inputs, outputs, name = tests.get("inputs"), tests.get("outputs"), tests.get("fn_name")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or not (name is None or isinstance(name, str)):
        raise InputError(f"illegal {column}", where=where, got=tests, expected="lists of inputs and outputs")
    return inputs, outputs, name


def literal_arguments(text: str) -> list[Any]:
    """The arguments that stand as Python literals, one a line; what is none is taken as text."""
    return [_literal(line) for line in text.split("\n")]


@contextmanager
def _integers_of_any_length() -> Iterator[None]:
    """Some tests hold integers of more digits than Python reads and writes by default."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(limit)


def _literal(line: str) -> Any:
    try:
        with _integers_of_any_length():
            return ast.literal_eval(line)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return line


def _arguments(given: Any, where: str) -> list[Any]:
    if isinstance(given, str):
        return literal_arguments(given)
    if not isinstance(given, list):
        raise InputError("illegal test input", where=where, got=given, expected="a list of arguments")
    return given


def _text(given: Any, where: str) -> str:
    if isinstance(given, list) and all(isinstance(line, str) for line in given):
        given = "\n".join(given)
    if not isinstance(given, str):
        raise InputError("illegal test", where=where, got=given, expected="the text that a program reads or prints")
    try:
        given.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON may spell and no file can hold
        raise InputError(f"a test is not Unicode ({error.reason})", where=where, got=given) from None
    return given


def _json(value: Any, where: str) -> str:
    try:
        with _integers_of_any_length():
            return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"a test is not JSON ({error})", where=where, got=value) from None
