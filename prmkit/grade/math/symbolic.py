"""Algebra by sympy on what math-verify reads from LaTeX; it may take long or forever, so equality.py runs it elsewhere.

An expression is known by its values at fixed points, to forty digits and relative to their size. (math-verify compares
fifteen digits behind the point, and takes 1/2^98 and 1/2^99 for one number.) So each answer is looked at once, however
many others it is compared with.
"""

import re
from functools import lru_cache
from typing import Any
from zlib import crc32

import math_verify
import sympy
from latex2sympy2_extended import NormalizationConfig
from math_verify.parser import LatexExtractionConfig

_DIGITS = 40
_MAX_EXPONENT = 1_000_000
_POINTS = (1, 1, 1, -1, -1, 0)
"""Where variables stand: all positive, all negative, or of either sign."""

Values = dict[str, Any]
"""``values``: at each point [real, imaginary part] as decimals, or None; one for what has no variables. ``name`` is the
structure of what has no values."""

_LATEX = LatexExtractionConfig(
    boxed_match_priority=0,
    # Not its units: it takes the m of 2m for metres.
    normalization_config=NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="all"),
)
"""Not its reader of plain expressions either, which has Python evaluate them."""
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_PRIME = re.compile(r"(?<=[A-Za-z])'+")
"""Of a derivative: no part of what is read."""
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)\s*°")
_FUNCTION = re.compile(
    r"(?<![a-zA-Z\\])(arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|exp|gcd|lcm|max|min|det)(?![a-z])"
)


@lru_cache(maxsize=1024)
def parse(text: str) -> Any:
    """What sympy makes of LaTeX in the spelling of notation.py; None if nothing."""
    if not _is_balanced(text) or "$" in text:
        return None  # else a part of it would be read
    text = _PRIME.sub(r"_{prime}", _DEGREES.sub(r"(\\frac{\1\\pi}{180})", text))
    text = _FUNCTION.sub(r"\\\1", text).replace("...", r"\ldots")
    try:
        found = math_verify.parse("\\boxed{" + text + "}", [_LATEX], parsing_timeout=None)
    except Exception:  # of antlr, sympy and recursion, of any kind
        return None
    return found[0] if found and not isinstance(found[0], str) else None


def _is_balanced(text: str) -> bool:
    """Whether every brace is closed, and none before it was opened."""
    depth = 0
    for brace in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth < 0:
            return False
    return depth == 0


def values(text: str) -> Values | None:
    """An expression by its values; None if it does not parse."""
    expression = parse(text)
    if not isinstance(expression, sympy.Expr):
        return None if expression is None else {"values": [], "name": sympy.srepr(expression)}
    return _values(expression)


def sides(text: str) -> Values | None:
    """An equation by the numerator of the difference of its sides, as multiples of its value at the first point."""
    equation = parse(text)
    if not isinstance(equation, sympy.Eq):
        return None
    difference = _plain(equation.lhs) - _plain(equation.rhs)
    numerator = sympy.fraction(sympy.together(difference.doit()))[0]
    first = _value(numerator, 0)
    if first is None or first == 0:
        return {"values": [], "name": sympy.srepr(sympy.expand(numerator))}
    return _values(numerator / first)


def region(text: str) -> list[Any] | None:
    """A set of real numbers, or an inequality of one variable: its name, or none, and the pieces of its numbers.

    A piece is its two ends, to 20 digits, and whether they are open. Nothing for an expression; None for any other set.
    """
    found = parse(text)
    if found is None or isinstance(found, sympy.Expr):
        return None if found is None else []
    names = sorted(symbol.name for symbol in found.free_symbols)
    if isinstance(found, (sympy.And, sympy.Or, sympy.Ne, *_INEQUALITIES)) and len(names) == 1:
        found = found.as_set()
    elif names or not isinstance(found, sympy.Set):
        return None
    exact = found.xreplace({number: sympy.Rational(str(number)) for number in found.atoms(sympy.Float)})
    return [*names, ""][:1] + _pieces(exact)


_INEQUALITIES = (sympy.StrictGreaterThan, sympy.StrictLessThan, sympy.GreaterThan, sympy.LessThan)


def _pieces(found: Any) -> list[Any]:
    if isinstance(found, sympy.Complement):
        whole, without = (sympy.Interval(-sympy.oo, sympy.oo) if part == sympy.S.Reals else part for part in found.args)
        found = whole - without
    if found == sympy.S.Reals:
        found = sympy.Interval(-sympy.oo, sympy.oo)
    pieces = []
    for part in found.args if isinstance(found, sympy.Union) else [found]:
        ends = [(point, point, False, False) for point in part] if isinstance(part, sympy.FiniteSet) else [part.args]
        pieces += [[str(low.evalf(20)), str(high.evalf(20)), *map(bool, opened)] for low, high, *opened in ends]
    return sorted(pieces)


def equivalent(one: str, other: str) -> bool:
    """Whether two sets or inequalities hold for the same values: by math-verify, in either direction.

    It treats its first argument as the gold answer.
    """
    first, second = parse(one), parse(other)
    return (first is not None and second is not None) and any(
        math_verify.verify([gold], [answer], timeout_seconds=None, allow_set_relation_comp=True)
        for gold, answer in ((first, second), (second, first))
    )


def _plain(expression: Any) -> Any:
    """With symbols of one name being one symbol, whatever was assumed of them."""
    return expression.subs({symbol: sympy.Symbol(symbol.name) for symbol in expression.free_symbols})


def _values(expression: Any) -> Values:
    variables = {symbol.name for symbol in expression.free_symbols} - {"i"}
    found = [_value(expression, point) for point in range(len(_POINTS) if variables else 1)]
    if all(value is None for value in found):
        return {"values": [], "name": sympy.srepr(sympy.expand(_plain(expression)))}
    return {"values": [None if value is None else _decimals(value) for value in found], "name": ""}


def _decimals(value: Any) -> list[str]:
    if value in (sympy.oo, -sympy.oo):
        return ["Infinity" if value == sympy.oo else "-Infinity", "0"]
    return ["0" if part.is_Float and part._prec == 1 else str(part) for part in value.as_real_imag()]


def _value(expression: Any, point: int) -> Any:
    """The number that an expression is at a point; None for none."""
    at = {symbol: _coordinate(symbol.name, point) for symbol in expression.free_symbols}
    try:
        value = expression.doit().subs(at).evalf(_DIGITS)
    except Exception:  # of sympy, of any kind
        return None
    if value in (sympy.oo, -sympy.oo):
        return value
    parts = value.as_real_imag() if value.is_number else ()
    return value if parts and all(_is_finite(part) for part in parts) else None


def _is_finite(part: Any) -> bool:
    """Whether a part is a number that decimal arithmetic holds."""
    return bool(part.is_Rational or (part.is_Float and abs(part._mpf_[2] + part._mpf_[3]) < _MAX_EXPONENT))


def _coordinate(name: str, point: int) -> Any:
    """Where a variable stands at a point: the same in every expression; i is the imaginary unit."""
    if name == "i":
        return sympy.I
    drawn = crc32(f"{name} {point}".encode())
    sign = _POINTS[point] or (1 if drawn % 2 else -1)
    return sign * sympy.Rational(drawn % 1_000_003 + 300_000, 400_009)
