r"""The canonical text of a LaTeX answer as MATH's own grader makes it: the common ground of two other graders.

Source: Hendrycks et al. 2021, hendrycks/math, modeling/math_equivalence.py; the same in openai/prm800k,
prm800k/grading/math_normalize.py. QwenLM/Qwen2.5-Math, evaluation/parser.py, has its own, which spells fractions alike.
"""

import re

_ENCLOSED = re.compile(r"^\\text\{(?P<text>.+?)\}$")
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")


def strip_text(answer: str) -> str:
    r"""The answer without an enclosing ``\text{}``, a unit, spaces; fractions and roots in one spelling."""
    answer = answer.strip()
    enclosed = _ENCLOSED.search(answer)
    text = enclosed.group("text").strip() if enclosed else answer
    try:
        return _stripped(text)
    except _UnstrippableError:
        return text


class _UnstrippableError(Exception):
    """There is more than one unit, or a root or a fraction of nothing; all stays as it was."""


def _stripped(text: str) -> str:
    text = text.replace("\n", "").replace("\\!", "").replace("\\\\", "\\")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac")
    text = text.replace("\\left", "").replace("\\right", "").replace("^{\\circ}", "").replace("^\\circ", "")
    text = text.replace("\\$", "")
    # Units stand at the end, in a text of their own.
    text, *units = text.split("\\text{ ")
    if len(units) > 1:
        raise _UnstrippableError
    text = text.replace("\\%", "").replace(" .", " 0.").replace("{.", "{0.")
    if not text:
        return text
    text = "0" + text if text[0] == "." else text
    left, equals, right = text.partition("=")
    if equals and "=" not in right and len(left) <= 2:
        text = right
    text = _roots(text).replace(" ", "")
    cut = (part for part in text.split("\\frac")[1:] if len(part) < 2 and part != "{")
    if next(cut, None) == "":
        raise _UnstrippableError
    text = braced_fractions(text)
    return stacked("\\frac{1}{2}" if text == "0.5" else text)


def _roots(text: str) -> str:
    """``\\sqrt3`` is ``\\sqrt{3}``."""
    first, *rest = text.split("\\sqrt")
    if not all(rest):
        raise _UnstrippableError
    return first + "".join("\\sqrt" + (part if part[0] == "{" else "{" + part[0] + "}" + part[1:]) for part in rest)


def braced_fractions(text: str) -> str:
    r"""``\frac12`` and ``\frac1{72}`` are ``\frac{1}{2}`` and ``\frac{1}{72}``; a cut one leaves all as it was."""
    first, *rest = text.split("\\frac")
    fixed = first
    for part in rest:
        if part.startswith("{"):
            fixed += "\\frac" + part
            continue
        if len(part) < 2:
            return text
        a, b, after = part[0], part[1], part[2:]
        fixed += f"\\frac{{{a}}}" + (f"{{{b}}}{after}" if b != "{" else b + after)
    return fixed


def stacked(text: str, *, roots: bool = False) -> str:
    r"""``3/4``, of integers, is ``\frac{3}{4}``; with ``roots``, what has a root in it may stand for an integer."""
    a, slash, b = text.partition("/")
    if slash and "/" not in b and all(_INTEGER.fullmatch(part) or (roots and "sqrt" in part) for part in (a, b)):
        return f"\\frac{{{a}}}{{{b}}}"
    return text
