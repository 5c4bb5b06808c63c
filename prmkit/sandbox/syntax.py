"""Syntax trees of programs, for several threads."""

import ast
import threading

_ALONE = threading.Lock()


def parse(program: str, name: str = "<unknown>") -> ast.Module:
    """As ``ast.parse``, which fails at times with a SystemError where several threads call it at once.

    Python 3.11 counts the nesting of nodes for all calls together (python/cpython#106905), and a garbage collection in
    the midst of one lets another thread go on.
    """
    with _ALONE:
        return ast.parse(program, name)
