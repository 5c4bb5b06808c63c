"""Which packages a program imports, and whether they are installed here."""

import ast
import importlib.util
import sys
from functools import lru_cache

from prmkit.sandbox.syntax import parse

_STANDARD = sys.stdlib_module_names | {"__main__"}


def imported(program: str) -> set[str]:
    """The top-level names of the packages that a program imports anywhere; nothing if it does not parse."""
    try:
        nodes = list(ast.walk(parse(program)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.partition(".")[0] for name in names}


def needs_packages(program: str) -> bool:
    """Whether a program imports more than the standard library."""
    return "import" in program and bool(imported(program) - _STANDARD)


def missing(program: str) -> list[str]:
    """The packages that a program imports and this machine does not have."""
    return sorted(name for name in imported(program) - _STANDARD if not _installed(name))


@lru_cache(maxsize=1024)
def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
