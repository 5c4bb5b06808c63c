"""Which programs agree: those that do the same on public inputs or, where these tell nothing, have the same text.

Agreement is an equivalence, whatever the order of the programs: where values within a tolerance make a chain, all of it
is one class.
"""

import ast
import builtins
from collections.abc import Sequence

from prmkit.grade.code.equality import same_text
from prmkit.grade.code.source import Definition, parsed
from prmkit.sandbox.isolate import Outcome

_WORLD = frozenset(
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, OSError)
) | {"gaierror", "URLError", "HTTPError", "SSLError", "ProxyError", "MaxRetryError", "NewConnectionError"}
"""Errors of a machine that lacks what the input names (a file, a host), and not of a program: OSError and its kinds."""

Run = Sequence[Outcome]


def by_behaviour(answers: Sequence[str | None], runs: Sequence[Run | None]) -> list[int | None]:
    """A class for each program from what it did on the public inputs; equal errors are equal outcomes.

    An input on which every program fails tells nothing about any. Where no other is left, programs agree by their text.
    A program that fails on all inputs that tell something has no vote, unless the machine lacks what they name: such
    failures are no fault, and together one class.

    Args:
        answers: the programs; None where there is none.
        runs: what each did, one outcome an input.
    """
    present = [run for run in runs if run is not None]
    inputs = range(len(present[0]) if present else 0)
    telling = [index for index in inputs if any(_works(run[index]) for run in present)]
    if not telling:
        # Those that the machine fails vote alone: the others might be wrong in the same way.
        excused = [run is not None and any(map(_is_world, run)) for run in runs]
        if any(excused):
            answers = [answer if is_excused else None for answer, is_excused in zip(answers, excused, strict=True)]
        return by_text(answers)

    def kept(run: Run | None) -> tuple[Outcome, ...] | None:
        told = tuple(run[index] for index in telling) if run is not None else ()
        return told if any(_works(outcome) or _is_world(outcome) for outcome in told) else None

    return _numbered(list(map(kept, runs)))


def by_text(answers: Sequence[str | None]) -> list[int | None]:
    """A class for each program by the text of its syntax tree."""
    numbers: dict[str, int] = {}
    return [None if answer is None else numbers.setdefault(normalised(answer), len(numbers)) for answer in answers]


def normalised(program: str) -> str:
    """The text of a program's syntax tree, its local names numbered by first appearance: what a vote on text compares.

    Comments, layout, docstrings and the choice of names do not count. The text itself if it does not parse.
    """
    tree = parsed(program)
    if tree is None:
        return program.strip()
    names: dict[str, str] = {}
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in bound:
            node.id = names.setdefault(node.id, f"v{len(names)}")
        elif isinstance(node, ast.arg):
            node.arg, node.annotation = names.setdefault(node.arg, f"v{len(names)}"), None
        elif isinstance(node, Definition | ast.Module):
            _drop_docstring(node)
            if isinstance(node, ast.FunctionDef):
                node.returns = None
    try:
        return ast.unparse(tree)
    except RecursionError:
        return program.strip()


def _drop_docstring(node: Definition | ast.Module) -> None:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        node.body = node.body[1:] or [ast.Pass()]


def _works(outcome: Outcome) -> bool:
    return outcome.error is None


def _is_world(outcome: Outcome) -> bool:
    return outcome.error in _WORLD


def _numbered(runs: Sequence[tuple[Outcome, ...] | None]) -> list[int | None]:
    """The connected components of runs that do the same, numbered by first appearance."""
    different = list(dict.fromkeys(run for run in runs if run is not None))
    component = list(range(len(different)))
    for one, run in enumerate(different):
        for other in range(one):
            if component[one] != component[other] and all(map(_same, run, different[other])):
                old, new = component[one], component[other]
                component = [new if each == old else each for each in component]
    found = dict(zip(different, component, strict=True))
    numbers: dict[int, int] = {}
    return [None if run is None else numbers.setdefault(found[run], len(numbers)) for run in runs]


def _same(one: Outcome, other: Outcome) -> bool:
    if one.value_json is None or other.value_json is None:
        return one == other
    return one == other or same_text(one.value_json, other.value_json)
