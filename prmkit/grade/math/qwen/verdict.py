"""Whether an answer is right, as Qwen2.5-Math's grader says.

Source: QwenLM/Qwen2.5-Math, evaluation/grader.py (``math_equal``, ``symbolic_equal``).
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from prmkit.grade.math.qwen.extraction import is_choice, last_choice
from prmkit.grade.math.qwen.parsing import parsed
from prmkit.grade.math.qwen.stripping import canonical

_TOLERANCE = 1e-4
_BRACKETS = "[]()"
_BRACKETED = re.compile(r"[(\[].+[)\]]")
_MATRIX = re.compile(r"\\begin\{[pb]matrix\}(.*)\\end\{[pb]matrix\}", re.DOTALL)


def same(gold: str, answer: str) -> bool:
    """Whether the answer is right: ``math_equal(answer, gold)`` there, of texts that are stripped. Not symmetric."""
    return _equal(canonical(gold), canonical(answer))


def _equal(gold: str, answer: str) -> bool:
    gold, answer = gold.strip(), answer.strip()
    if answer.lower() == gold.lower() or (is_choice(gold) and last_choice(answer) == gold):
        return True
    wanted, given = _number(gold), _number(answer)
    if wanted is not None and given is not None:
        return any(_close(given, value) for value in (wanted / 100, wanted, wanted * 100))
    if not answer:
        return False
    if "pmatrix" in answer and "pmatrix" not in gold:
        gold = _as_matrices(gold)
    return any(rule(gold, answer) for rule in _RULES)


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_TOLERANCE)


def _number(text: str) -> float | None:
    """A plain number, whatever its commas; a share of 100 if it is a percentage."""
    text = text.replace(",", "")
    percent = text.endswith("%")
    for form, unit in ((text, 1), (text.removesuffix("%").removesuffix("\\"), 100))[: 1 + percent]:
        try:
            return float(form) / unit
        except ValueError:
            continue
    return None


def _as_matrices(gold: str) -> str:
    """A set of numbers as a column; what has no set becomes nothing, as there."""
    columns = (found.strip("{}").replace(",", "\\") for found in re.findall(r"\{.*,.*\}", gold))
    return ", ".join(f"\\begin{{pmatrix}}{column}\\end{{pmatrix}}" for column in columns)


def _same_without_brackets(gold: str, answer: str) -> bool:
    texts = [gold, answer]
    square = answer.startswith("[") and answer.endswith("]") and not gold.startswith("(")
    round_ = answer.startswith("(") and answer.endswith(")") and not gold.startswith("[")
    if square or round_:
        texts = [text.strip(_BRACKETS) for text in texts]
    one, other = (re.sub(r"[{}()]", "", text).lower() for text in texts)
    return one == other


def _same_elements(gold: str, answer: str) -> bool:
    """Tuples and intervals, element by element; the kinds of brackets do not count."""
    if not (_BRACKETED.match(gold) and _BRACKETED.match(answer)):
        return False
    return _all_equal(gold[1:-1].split(","), answer[1:-1].split(","))


def _same_cells(gold: str, answer: str) -> bool:
    """Matrices, cell by cell."""
    matrices = [_MATRIX.fullmatch(text) for text in (gold, answer)]
    if not all(matrices):
        return False
    wanted, given = (
        [row.strip().split("&") for row in matrix[1].split("\\\\") if row.strip()] for matrix in matrices if matrix
    )
    return len(wanted) == len(given) and all(map(_all_equal, wanted, given))


def _all_equal(golds: Sequence[str], answers: Sequence[str]) -> bool:
    return len(golds) == len(answers) and all(map(_equal, golds, answers))


def _same_equation(gold: str, answer: str) -> bool:
    """Two equations up to the sign, or one whose left side is a short name against a value."""
    sides = [[side.strip() for side in text.split("=")] for text in (gold, answer)]
    match [len(of) for of in sides]:
        case [2, 2]:
            one, other = (f"{left} - ({right})" for left, right in sides)
            return _same_value(one, other) or _same_value(one, f"-({other})")
        case [1, 2] if len(sides[1][0]) <= 2:
            return _equal(gold, sides[1][1])
        case [2, 1] if len(sides[0][0]) <= 2:
            return _equal(sides[0][1], answer)
    return False


def _same_value(gold: str, answer: str) -> bool:
    """Whether sympy calls them the same, by any of five tests."""
    one, other = parsed(gold), parsed(answer)
    if isinstance(one, str) or isinstance(other, str):
        return str(one) == str(other)  # and no further: sympy would evaluate a text as Python
    return any(_holds(test, one, other) for test in _TESTS)


def _holds(test: Callable[[Any, Any], bool], one: Any, other: Any) -> bool:
    # sympy raises nearly anything on what it cannot compare; none of it is an equality.
    try:
        return bool(test(one, other))
    except Exception:
        return False


def _simplifies(one: Any, other: Any) -> bool:
    import sympy

    return bool(one.equals(other) or sympy.simplify(one - other) == 0)


def _same_relation(one: Any, other: Any) -> bool:
    return bool(abs(one.lhs - one.rhs).equals(abs(other.lhs - other.rhs)))


def _same_float(one: Any, other: Any) -> bool:
    import sympy

    return _close(float(sympy.N(one)), float(sympy.N(other)))


def _same_matrix(one: Any, other: Any) -> bool:
    rounded, others = (matrix.applyfunc(lambda value: round(value, 3)) for matrix in (one, other))
    return bool(one.shape == other.shape and rounded.equals(others))


_RULES = (_same_without_brackets, _same_elements, _same_cells, _same_equation, _same_value)
_TESTS = (
    lambda one, other: str(one) == str(other) or one == other,
    _simplifies,
    _same_relation,
    _same_float,
    _same_matrix,
)
