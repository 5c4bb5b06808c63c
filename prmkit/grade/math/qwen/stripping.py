r"""The canonical text of an answer, as Qwen2.5-Math makes it: without units, names, percent and currency signs.

Source: QwenLM/Qwen2.5-Math, evaluation/parser.py (``strip_string``), with the word2number package that it calls.
"""

import re
from collections.abc import Iterable

from prmkit.grade.math.latex_text import braced_fractions, stacked
from prmkit.grade.math.qwen.number_words import number
from prmkit.grade.math.qwen.units import without_units

LONGEST = 2000
"""Characters of the longest text that is taken for an answer; all that is done to one stays fast up to here."""

_SPELLINGS = (
    ("tfrac", "frac"),
    ("dfrac", "frac"),
    ("\\neq", "\\ne"),
    ("\\leq", "\\le"),
    ("\\geq", "\\ge"),
    ("\\left", ""),
    ("\\right", ""),
    ("\\{", "{"),
    ("\\}", "}"),
)
_SIGNS = ("^{\\circ}", "^\\circ", "\\$", "$", "\\(", "\\)")
_NAMES = tuple(f"{name}{relation}" for relation in ("=", "\\in", "\\to") for name in "xyz")
_WRITTEN = (
    ("\\emptyset", "{}"),
    ("(-\\infty,\\infty)", "\\mathbb{R}"),
    ("\\%", ""),
    ("%", ""),
    (" .", " 0."),
    ("{.", "{0."),
    ("infinity", "\\infty"),
)


def canonical(text: str) -> str:
    """The text that their grader compares: stripped twice, as their pipeline does, which is not the same as once."""
    return _stripped(_stripped(text))


def _stripped(text: str) -> str:
    text = text.strip().replace("\n", "").rstrip(".").replace("\\!", "")
    text = re.sub(r"\\begin\{array\}\{.*?\}", r"\\begin{pmatrix}", text).replace("\\end{array}", "\\end{pmatrix}")
    text = _replaced(text.replace("bmatrix", "pmatrix"), _SPELLINGS)
    text = _replaced(without_units(_without_final_text(text)), ((sign, "") for sign in _SIGNS))
    text = re.sub(r"\\text\{(.*?)\}", r"\1", number(text) or text)
    text = _replaced(_replaced(text, ((name, "") for name in _NAMES)), _WRITTEN)
    if "\\infty" not in text:
        text = text.replace("inf", "\\infty")
    text = re.sub(r"\\mbox\{.*?\}", "", text.replace("and", "").replace("\\mathbf", ""))
    if "i" not in text:
        text = text.replace("j", "i")
    text = re.sub(r"(\d+)\.0*(\D|$)", r"\1\2", text)
    return _respelt("0" + text if text.startswith(".") else text)


def _without_final_text(text: str) -> str:
    r"""All before the first ``\text``, if a brace ends the answer: what follows is taken for a unit."""
    before = text.partition("\\text{")[0].strip() if text.endswith("}") else ""
    return before or text


def _respelt(text: str) -> str:
    """The value of a short name, with braces around what roots and fractions are of."""
    name, equals, value = text.partition("=")
    if equals and "=" not in value and len(name) <= 2:
        text = value
    text = re.sub(r"\\sqrt(\w+)", r"\\sqrt{\1}", text).replace(" ", "")
    return stacked(braced_fractions(text), roots=True)


def _replaced(text: str, pairs: Iterable[tuple[str, str]]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text
