r"""The canonical text of a LaTeX answer as MATH's own grader makes it: the common ground of two other graders.

Source: Hendrycks et al. 2021, hendrycks/math, modeling/math_equivalence.py; the same in openai/prm800k,
prm800k/grading/math_normalize.py, and in QwenLM/Qwen2.5-Math, evaluation/parser.py.
"""

import re

_ENCLOSED = re.compile(r"^\\text\{(?P<text>.+?)\}$")


def strip_text(answer: str) -> str:
    r"""The answer without an enclosing ``\text{}``, units, spaces; fractions and roots in one spelling."""
    answer = answer.strip()
    enclosed = _ENCLOSED.search(answer)
    text = enclosed.group("text").strip() if enclosed else answer
    try:
        return _stripped(text)
    except (IndexError, AssertionError):  # as there: what cannot be stripped stays
        return text


def _stripped(text: str) -> str:
    text = text.replace("\n", "").replace("\\!", "").replace("\\\\", "\\")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac")
    text = text.replace("\\left", "").replace("\\right", "").replace("^{\\circ}", "").replace("^\\circ", "")
    text = text.replace("\\$", "")
    # Units stand at the end, in a text of their own.
    text = text.split("\\text{ ")[0]
    text = text.replace("\\%", "").replace("%", "").replace(" .", " 0.").replace("{.", "{0.")
    if not text:
        return text
    text = "0" + text if text[0] == "." else text
    left, equals, right = text.partition("=")
    if equals and "=" not in right and len(left) <= 2:
        text = right
    text = _fractions(_roots(text).replace(" ", ""))
    return _slash("\\frac{1}{2}" if text == "0.5" else text)


def _roots(text: str) -> str:
    """``\\sqrt3`` is ``\\sqrt{3}``."""
    first, *rest = text.split("\\sqrt")
    return first + "".join("\\sqrt" + (part if part[0] == "{" else "{" + part[0] + "}" + part[1:]) for part in rest)


def _fractions(text: str) -> str:
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


def _slash(text: str) -> str:
    r"""``3/4``, of integers, is ``\frac{3}{4}``."""
    a, slash, b = text.partition("/")
    if not slash or "/" in b or not (a.lstrip("-").isdecimal() and b.lstrip("-").isdecimal()):
        return text
    return f"\\frac{{{int(a)}}}{{{int(b)}}}" if text == f"{int(a)}/{int(b)}" else text
