"""The tests of a programming problem, from the forms that corpora give them."""

import ast
from collections.abc import Sequence
from typing import Any

from prmkit.digits import LONG
from prmkit.errors import InputError
from prmkit.json_io import loads
from prmkit.rows_io import Fields
from prmkit.sandbox import values
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

    Of a function, an input is its list of arguments. Keys of dictionaries that spell numbers are numbers, in the first
    argument and in the output: JSON has made texts of them. Of a whole program, input and output are what it reads and
    prints; a list of lines is joined.

    Args:
        inputs: all that the problem has.
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
    given_text, output_text = (_text, _text) if entry_point is None else (_arguments_text, _value_text)
    pairs = [
        (given_text(given, where), output_text(output, where))
        for given, output in zip(inputs[:most], outputs, strict=False)
    ]
    shown = len(pairs) if public is None else public
    return [Case(input=given, output=out, public=index < shown) for index, (given, out) in enumerate(pairs)]


def asked(prompt: str, *, ask: bool) -> str:
    """The problem, and with ``ask`` what a model shall write: steps, and the program as the last of them."""
    return f"{prompt}\n\n{_REQUEST}" if ask else prompt


def json_column(row: Fields, where: str, column: str) -> Any:
    """The value of a column that holds JSON as text (or such a text as JSON again), or has been read already.

    None for an empty one.

    Raises:
        InputError: there is no such column, or it is no JSON.
    """
    if column not in row:
        raise InputError(f"the row has no {column}", where=where, got=sorted(row), expected=column)
    text = row[column]
    if text is None or text == "":
        return None
    if isinstance(text, dict):
        return text
    if not isinstance(text, str):
        raise InputError(f"illegal {column}", where=where, got=text, expected="JSON as text")
    try:
        value = loads(text.encode())
        return loads(value.encode()) if isinstance(value, str) else value
    except ValueError as error:
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
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise InputError(f"illegal {column}", where=where, got=tests, expected="lists of inputs and outputs")
    if name is not None and not (isinstance(name, str) and name.isidentifier()):
        raise InputError("illegal fn_name", where=where, got=name, expected="the name of a function, or null")
    return inputs, outputs, name


def literal_arguments(text: str) -> list[Any]:
    """The arguments that stand as Python literals of values that JSON has, one a line; what is none is text."""
    return [_literal(line) for line in text.split("\n")]


def _literal(line: str) -> Any:
    try:
        value = loads(line.encode()) if LONG.search(line) else ast.literal_eval(line)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return line
    return value if _is_of_json(value) else line  # "()" is a text of parentheses


def _is_of_json(value: Any) -> bool:
    if isinstance(value, list | dict):
        return all(map(_is_of_json, value.values() if isinstance(value, dict) else value))
    return value is None or isinstance(value, bool | int | float | str)


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


def _arguments_text(given: Any, where: str) -> str:
    arguments = _arguments(given, where)
    return _encoded([*map(_with_number_keys, arguments[:1]), *arguments[1:]], where)


def _value_text(output: Any, where: str) -> str:
    keyed = _with_number_keys(output)
    if keyed is not output:
        keyed = [keyed]  # as most outputs, so that a list around it is right too
    elif isinstance(output, list) and output and isinstance(output[0], dict):
        keyed = [*map(_with_number_keys, output)]
    return _encoded(keyed, where)


def _with_number_keys(value: Any) -> Any:
    """A dictionary whose keys all spell integers, with these as its keys; anything else as it is."""
    if not isinstance(value, dict):
        return value
    try:
        return {int(key): inner for key, inner in value.items()}
    except ValueError:
        return value


def _encoded(value: Any, where: str) -> str:
    try:
        text = values.encode(value)
        whole = bool(values.decode(text) == value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"a test is no plain value ({error})", where=where, got=value) from None
    if not whole:
        raise InputError("a test is no plain value", where=where, got=value, expected="what equals itself, unlike NaN")
    return text
