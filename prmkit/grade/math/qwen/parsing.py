"""A text as a sympy object, by the parsers that Qwen2.5-Math tries: sympy's for LaTeX and for Python, latex2sympy.

The first decides nearly always. It reads as far as it understands: ``3,4`` is 3. The second would run what it is given;
here only a plain expression of numbers, symbols and sympy's functions gets that far. For latex2sympy, which few texts
reach, its maintained successor stands in.

Source: QwenLM/Qwen2.5-Math, evaluation/grader.py (``symbolic_equal``), on sympy 1.12.
"""

import ast
import re
from collections.abc import Callable
from functools import cache
from typing import Any

_CALLED = ("sqrt", "cbrt", "root", "Abs", "abs", "max", "min")
_LITERALS = ("Symbol", "Integer", "Float", "Function")
"""What sympy writes around the names and numbers of a text; nothing else may be given a string."""


_NEVER = re.compile(r"""["']|\\mathrm|\\approx""")
"""What latex2sympy does not understand."""


def parsed(text: str) -> Any:
    """What the first parser makes of it that takes it; the text itself if none does."""
    for parse in (_latex, _python, _latex2sympy):
        # Once with single backslashes. The parsers raise errors of many kinds.
        for form in (text.replace("\\\\", "\\"), text):
            try:
                return parse(form)
            except Exception:
                continue
    return text


def _latex(text: str) -> Any:
    lexer, parser, convert, listener = _grammar()
    import antlr4

    listener = listener(text.strip())
    lexed = lexer(antlr4.InputStream(text.strip()))
    parsing = parser(antlr4.CommonTokenStream(lexed))
    for part in (lexed, parsing):
        part.removeErrorListeners()
        part.addErrorListener(listener)
    return convert(parsing.math().relation())


@cache
def _grammar() -> tuple[Callable[..., Any], ...]:
    """The lexer, parser, conversion and listener behind ``parse_latex``, which refuses every ANTLR but 4.11.

    math-verify's is newer, and reads the same.
    """
    from sympy.parsing.latex import _parse_latex_antlr as antlr

    unchecked = {"checkVersion": lambda *versions: None}  # it would print, where verdicts are written
    lexer, parser = (type(base.__name__, (base,), unchecked) for base in (antlr.LaTeXLexer, antlr.LaTeXParser))
    return lexer, parser, antlr.convert_relation, antlr.MathErrorListener


def _python(text: str) -> Any:
    import sympy
    from sympy.parsing import sympy_parser

    names = _names()
    code = sympy_parser.stringify_expr(text, {}, names, sympy_parser.standard_transformations)
    tree = ast.parse(code.strip(), mode="eval")
    match tree.body:
        case ast.Constant(value=str() as quoted):
            return sympy.Number(quoted) if re.fullmatch(r"-?\d+(\.\d*)?", quoted) else quoted
    if not _is_plain(tree.body):
        raise ValueError("more than a plain expression")
    return eval(compile(tree, "<answer>", "eval"), names)


@cache
def _names() -> dict[str, Any]:
    import sympy

    names = {name: value for name, value in vars(sympy).items() if not name.startswith("_")}
    return names | {"abs": abs, "max": sympy.Max, "min": sympy.Min, "__builtins__": {}}


def _is_plain(node: ast.AST) -> bool:
    """Numbers, names, operators, tuples, lists, sets, calls of sympy's functions: nothing that could reach Python."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str())], keywords=[]):
            return name in _LITERALS
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return _is_function(name) and all(map(_is_plain, args))
        case ast.Call(func=ast.Call() as called, args=args, keywords=[]):
            return _is_plain(called) and all(map(_is_plain, args))  # f(x) of an unknown f
        case ast.Constant(value=value):
            return isinstance(value, int | float | complex)
        case ast.Name() | ast.operator() | ast.unaryop() | ast.boolop() | ast.cmpop() | ast.expr_context():
            return True
        case ast.Tuple() | ast.List() | ast.Set() | ast.BinOp() | ast.UnaryOp() | ast.BoolOp() | ast.Compare():
            return all(map(_is_plain, ast.iter_child_nodes(node)))
    return False


def _is_function(name: str) -> bool:
    import sympy

    value = _names().get(name)
    return name in _CALLED or (isinstance(value, type) and issubclass(value, sympy.Basic))


def _latex2sympy(text: str) -> Any:
    """What theirs takes: expressions and matrices, up to a line break. Its successor knows intervals and sets too."""
    import sympy
    from latex2sympy2_extended import latex2sympy
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig

    matrices, end, rest = text.rpartition("matrix}")
    text = matrices + end + rest.partition("\\\\")[0].replace("~", " ")
    if not text.isascii() or _NEVER.search(text):
        raise ValueError("more than it understands")
    value = latex2sympy(text, conversion_config=ConversionConfig(lowercase_symbols=False))
    if not isinstance(value, sympy.Expr | sympy.MatrixBase):
        raise ValueError("no expression")
    return value
