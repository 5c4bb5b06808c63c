r"""PRM800K's grader, for figures that are to be compared with those of OpenAI and of tools that took it over.

It is stricter than math-verify: a fraction must be reduced, and an integer must be written as one. Its parser
evaluates text, which is why it refuses what has more than two unknown letters. Two letters and a text of escapes would
still run, so quotes are refused here too.

Source: openai/prm800k, prm800k/grading/grader.py (Lightman et al. 2023, arXiv 2305.20050).
"""

import re
from typing import Any

from prmkit.grade.math.latex_text import strip_text

_UNITS = [
    "degree",
    "cm",
    "centimeter",
    "meter",
    "mile",
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
    "foot",
    "feet",
    "inch",
    "yard",
]
_REFUSED = re.compile(r"\^\{|\^\(|\^[0-9]+\^|\^[0-9][0-9]+")
_QUOTED = re.compile(r"[\"'\\]")
_BRACKETS = "()[]"
_SIGNS = (("√", "sqrt"), ("π", "pi"), ("∞", "inf"), ("\u222a", "U"), ("\u00b7", "*"), ("\u00d7", "*"))


def same(gold: str, answer: str) -> bool:
    """Whether the answer is right: ``grade_answer(answer, gold)`` there."""
    if strip_text(gold) == strip_text(answer):
        return True
    wanted, given = _normalised(gold), _normalised(answer)
    if wanted == given:
        return True
    if not given:
        return False
    parts, found = _parts(wanted), _parts(given)
    if len(parts) != len(found) or (len(parts) > 1 and (wanted[0], wanted[-1]) != (given[0], given[-1])):
        return False
    return bool(parts) and all(map(_same_part, parts, found))


def _same_part(wanted: str, given: str) -> bool:
    if _is_fraction(wanted) and _is_fraction(given):
        return wanted == given
    if _is_integer(wanted) != _is_integer(given):
        return False
    return _same_expression(wanted, given)


def _same_expression(wanted: str, given: str) -> bool:
    text = f"({wanted})-({given})"
    letters = {letter for letter in text.replace("sqrt", "").replace("frac", "") if letter.isalpha()}
    if len(letters) > 2 or _REFUSED.search(text):
        return False
    if _QUOTED.search(text):  # nothing with a text in it is equal there, and sympy would evaluate some as Python
        return False
    import sympy
    from sympy.parsing import sympy_parser as parser

    rules = (*parser.standard_transformations, parser.implicit_multiplication_application)
    # sympy raises nearly anything for what it cannot parse; none of it is an equality.
    try:
        return bool(sympy.simplify(parser.parse_expr(text.replace("^", "**"), transformations=rules)) == 0)
    except Exception:
        return False


def _normalised(text: str) -> str:
    enclosed = re.search(r"^\\text\{(?P<text>.+?)\}$", text)
    text = enclosed.group("text") if enclosed else text
    text = text.replace("\\%", "%").replace("\\$", "$").replace("$", "").replace("%", "")
    text = text.replace(" or ", " , ").replace(" and ", " , ")
    for word, power in (("million", 6), ("billion", 9), ("trillion", 12)):
        text = text.replace(word, f"*10^{power}")
    for unit in _UNITS:
        text = re.sub(rf"{unit}(es)?(s)? *(\^[0-9]+)?", "", text)
    text = re.sub(r"\^ *\\circ", "", text)
    if text and text[0] == "{" and text[-1] == "}":
        text = text[1:-1]
    text = re.sub(r",\\! *", "", text)
    number = _number(text)
    if number is not None and abs(number - round(number)) <= 1e-7:
        text = str(round(number))
    if "\\" in text:
        text = _plain(text)
    text = re.sub(r"([0-9]) +([0-9])", r"\1+\2", re.sub("- *", "-", text))  # 7 3/4 is 7 + 3/4
    text = text.replace(" ", "").replace("{", "").replace("}", "").lower()
    return str(int(float(text.replace(",", "")))) if _is_integer(text) else text


def _plain(latex: str) -> str:
    from pylatexenc import latex2text

    spaced = latex.replace("\\tfrac", "\\frac").replace("\\dfrac", "\\frac").replace("\\frac", " \\frac")
    try:
        text: Any = latex2text.LatexNodes2Text().latex_to_text(spaced)
    # As there: what the parser does not take stays LaTeX.
    except Exception:
        return latex
    for sign, word in _SIGNS:
        text = text.replace(sign, word)
    return str(text).strip()


def _parts(text: str) -> list[str]:
    """The elements of a tuple or interval; of anything else, itself."""
    text = _without_commas(text)
    if not text:
        return []
    inner = text[1:-1]
    if len(text) > 2 and text[0] in _BRACKETS and text[-1] in _BRACKETS and not set(inner) & set(_BRACKETS):
        return [part.strip() for part in inner.split(",")]
    return [text]


def _without_commas(text: str) -> str:
    """Numbers without the commas that group their digits."""
    while (shorter := re.sub(r"(\d)(,)(\d\d\d)($|\D)", r"\1\3\4", text)) != text:
        text = shorter
    return text


def _is_fraction(text: str) -> bool:
    return re.search(r"^-?[0-9]+.?/0*[1-9][0-9]*.?$", text) is not None


def _is_integer(text: str) -> bool:
    number = _number(_without_commas(text))
    return number is not None and abs(number - round(number)) <= 1e-7


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) != float("inf") and number == number else None
