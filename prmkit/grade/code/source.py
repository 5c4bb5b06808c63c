"""Python as text: whether it parses, what it defines, which part of a text it is, and what it does at its end.

Models write the texts, so nothing takes more than linear time: ``runs`` ends when it has parsed a text three times
over.
"""

import ast
import builtins
import re
import sys
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prmkit.sandbox.syntax import parse

_FILE = "<program of a model>"
warnings.filterwarnings("ignore", module=_FILE)  # such as '\\d' outside of raw strings: not for the user to mend

_TIMES, _SMALL = 3, 200_000
"""``runs`` parses no more characters than so many times the text's, and at least those of the second."""
_OPEN = re.compile(r"was never closed|unterminated triple-quoted|EOF|expected '(?:except|finally)")
_LEAVES = frozenset(("input", "stdin", "exit", "quit", "testmod", "main"))  # unittest.main ends the process

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_Branch = ast.ExceptHandler | ast.match_case


def parsed(code: str) -> ast.Module | None:
    """The syntax tree of a text; None if it is no Python."""
    found = _parsed(code)
    return found if isinstance(found, ast.Module) else None


def _parsed(code: str) -> ast.Module | SyntaxError | None:
    try:
        return parse(code, _FILE)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError):
        return None


@dataclass(frozen=True, slots=True)
class Part:
    """Python within a text, and its syntax tree."""

    text: str
    tree: ast.Module


def runs(text: str) -> Iterator[Part]:
    """The parts of a text that are Python, each as long as it parses; words that parse but do nothing are left out.

    A part begins and ends with a line at the margin and what is indented below it.
    """
    tree = parsed(text)
    if tree is not None:
        yield from _active(Part(text, tree))
        return
    lines = text.split("\n")
    starts = [index for index, line in enumerate(lines) if line[:1].strip()]
    work = _Work(lines, [*starts, len(lines)], max(_SMALL, _TIMES * len(text)))
    at = 0
    while at < len(starts) and work.left > 0:
        part, end = work.longest(at)
        if part is not None:
            yield from _active(part)
        at = max(end, at + 1)


@dataclass(frozen=True, slots=True)
class _Fault:
    """The line at which parsing stops, the start at or before it, and whether something is left open there."""

    line: int
    start: int
    is_open: bool


class _Work:
    """Lines, where their statements may start, and how many characters may still be parsed."""

    def __init__(self, lines: list[str], starts: list[int], left: int) -> None:
        self.starts, self.left = starts, left
        self._lines = lines

    def longest(self, at: int) -> tuple[Part | None, int]:
        """The longest part that begins at a start and parses, and the start behind it."""
        last, good, size, part = len(self.starts) - 1, at, 1, None
        while good < last and self.left > 0:
            end = min(at + size, last)
            found = self._parsed(at, self.starts[end])
            if isinstance(found, Part):
                good, part = end, found
            elif end == last or not (found.is_open or found.start >= end - 1):
                return self._shorter(at, found) or (part, good)
            size *= 2
        return part, good

    def _shorter(self, at: int, fault: _Fault) -> tuple[Part, int] | None:
        """What parses up to the line at fault, to its statement, or to the one before it, of which it may be a part."""
        begin, before = self.starts[fault.start], self.starts[max(fault.start - 1, at)]
        for end in dict.fromkeys((fault.line, begin, before)):
            shorter = self._parsed(at, end) if end > self.starts[at] else None
            if isinstance(shorter, Part):
                return shorter, fault.start + (end > begin)
        return None

    def _parsed(self, at: int, end: int) -> Part | _Fault:
        text = "\n".join(self._lines[self.starts[at] : end])
        self.left -= len(text)
        found = _parsed(text)
        if isinstance(found, ast.Module):
            return Part(text, found)
        if found is None or found.lineno is None:
            return _Fault(self.starts[at], at, False)
        line = min(self.starts[at] + found.lineno - 1, end - 1)
        return _Fault(line, bisect_right(self.starts, line) - 1, _OPEN.search(found.msg) is not None)


def _active(part: Part) -> Iterator[Part]:
    """The part without statements that do nothing; nothing if it has no others."""
    doing = [node for node in part.tree.body if not _is_inert(node)]
    if not doing:
        return
    kept = {number for node in doing for number in (node.lineno, node.end_lineno)}
    idle = {number for node in part.tree.body if _is_inert(node) for number in _line_numbers(node)} - kept
    lines = part.text.split("\n")[: doing[-1].end_lineno]
    text = "\n".join(line for number, line in enumerate(lines, 1) if number not in idle)
    if idle:
        text = text.strip("\n")
    tree = parsed(text) if idle else part.tree
    if tree is not None:
        yield Part(text, tree)


def acts(tree: ast.Module) -> bool:
    """Whether a program has a statement that does something: names and numbers alone are words of prose."""
    return not all(map(_is_inert, tree.body))


def _line_numbers(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _is_inert(node: ast.stmt) -> bool:
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    if not isinstance(node, ast.Expr):
        return False
    is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return not is_text and not any(isinstance(each, ast.Call | ast.Await | ast.NamedExpr) for each in ast.walk(node))


def defines(tree: ast.Module, name: str) -> bool:
    """Whether a program has a function (or other thing to call) of that name that is its own.

    At its top level, or as a method of ``class Solution``; ``Class().method`` names another class. A function whose
    body says nothing (a stub that is shown again) is none. Nor is what is imported from a module that is not Python's
    own, or borrowed from an object that is not there, as tests and examples do.
    """
    holder, dot, method = name.partition("().")
    classes = [node for node in _statements(tree.body) if isinstance(node, ast.ClassDef)]
    inside = [node for node in classes if node.name == (holder if dot else "Solution")]
    if any(_has_own(node.body, method if dot else name, set()) for node in inside):
        return True
    return not dot and _has_own(tree.body, name, bound(tree))


def bound(tree: ast.Module) -> set[str]:
    """The names that a program binds at its top level."""
    return {name for node in _statements(tree.body) for name in _names(node)}


def _has_own(body: Iterable[ast.stmt], name: str, known: set[str]) -> bool:
    return any(name in _names(node) and _is_own(node, known) for node in _statements(body))


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, also those under its conditions, loops and contexts."""
    waiting = list(body)[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Definition):
            inner = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt | _Branch)]
            for each in reversed(inner):
                waiting.extend(each.body[::-1] if isinstance(each, _Branch) else [each])


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, Definition):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.For | ast.With):
        return {each.id for each in _own_nodes(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return set()


def within(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes of a program that belong to no function or class below it."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Definition | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _own_nodes(node: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement without those of the statements below it."""
    waiting: list[ast.AST] = [node]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(child for child in ast.iter_child_nodes(each) if not isinstance(child, ast.stmt))


def _is_own(node: ast.stmt, known: set[str]) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return any(not _says_nothing(each) for each in node.body)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] in sys.stdlib_module_names
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if isinstance(value, ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.Set | ast.ListComp):
        return False  # nothing to call
    while isinstance(value, ast.Attribute | ast.Call | ast.Subscript):
        value = value.func if isinstance(value, ast.Call) else value.value
    return not isinstance(value, ast.Name) or value.id in known or hasattr(builtins, value.id)


def _says_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        return "NotImplementedError" in ast.dump(node)
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def without_use(code: str, tree: ast.Module, name: str) -> str:
    """A program up to where it begins to use its own function: examples, tests and prints behind it decide nothing.

    It is cut at the first statement behind the last definition of ``name`` that calls it, itself or through another
    function, or that reads standard input or leaves. What else is computed there stays.
    """
    name = name.partition("().")[2] or name
    places = [index for index, node in enumerate(tree.body) if name in _names(node) | _methods(node)]
    if not places:
        return code
    users = _users(tree, name)
    for node in tree.body[places[-1] + 1 :]:
        if not isinstance(node, Definition) and _mentioned(node) & users:
            return "\n".join(code.split("\n")[: node.lineno - 1]).rstrip() + "\n"
    return code


def _methods(node: ast.stmt) -> set[str]:
    return set().union(*map(_names, node.body)) if isinstance(node, ast.ClassDef) else set()


def _users(tree: ast.Module, name: str) -> set[str]:
    """The names of what calls the function or takes input: its own, and those of functions that mention such a name."""
    mentioned = {
        node.name: _mentioned(node)
        for node in tree.body
        if isinstance(node, Definition) and name not in _names(node) | _methods(node)
    }
    users, found = {name, *_LEAVES}, {name, *_LEAVES}
    while found:
        found = {each for each, names in mentioned.items() if each not in users and names & found}
        users |= found
    return users


def _mentioned(node: ast.stmt) -> set[str]:
    """The names and attributes that a statement reads; of an assignment, in what it assigns."""
    nodes = list(ast.walk((node.value or node) if isinstance(node, ast.Assign | ast.AnnAssign) else node))
    names = {each.id for each in nodes if isinstance(each, ast.Name)}
    return names | {each.attr for each in nodes if isinstance(each, ast.Attribute)}
