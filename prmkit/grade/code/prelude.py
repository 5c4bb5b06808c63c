"""What a rule puts before a program, such as imports."""

import ast

from prmkit.grade.code.source import parsed


def after_future_imports(prelude: str, program: str) -> str:
    """The program with a prelude before it, but behind its own imports from ``__future__``, which must come first."""
    tree = parsed(program) if "__future__" in program else None
    body = tree.body if tree is not None else []
    future = [node for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    end = (future[-1].end_lineno or 0) if future else 0
    lines = program.split("\n")
    return "\n".join([*lines[:end], *([prelude] if prelude else []), *lines[end:]])
