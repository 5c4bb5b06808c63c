"""What the readers of code benchmarks share: texts of code, and the calls that a prompt shows, as public inputs."""

import ast
import doctest

from prmkit.rows_io import Fields, field
from prmkit.sandbox import values
from prmkit.sandbox.syntax import parse
from prmkit.tree import Case


def text_of(row: Fields, where: str, column: str) -> str:
    """A text as it stands, blanks included: they matter in code. Raises InputError if there is none."""
    field(row, where, column)
    return str(row[column])


def shown_calls(prompt: str, entry_point: str) -> tuple[Case, ...]:
    """The calls of ``entry_point`` with literal arguments in the prompt's examples (``>>>``) and assertions.

    They are public, and have no expected output: they serve a vote by behaviour, not a grade.
    """
    sources = [example.source for example in _examples(prompt)]
    sources += [line for line in map(str.strip, prompt.splitlines()) if line.startswith("assert ")]
    found: dict[str, None] = {}
    for source in sources:
        try:
            nodes = list(ast.walk(parse(source)))
        except (SyntaxError, ValueError, MemoryError, RecursionError):  # the last two: too deep for the parser
            continue
        for node in nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point:
                text = _arguments(node)
                if text is not None:
                    found[text] = None
    return tuple(Case(input=text, public=True) for text in found)


def _examples(prompt: str) -> list[doctest.Example]:
    try:
        return doctest.DocTestParser().get_examples(prompt)
    except ValueError:  # an example whose indentation varies
        return []


def _arguments(call: ast.Call) -> str | None:
    if call.keywords:
        return None
    try:
        return values.encode([ast.literal_eval(argument) for argument in call.args])
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return None
