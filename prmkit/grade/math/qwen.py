r"""Qwen2.5-Math's extraction and grader, for figures that are to be compared with its leaderboards.

Too lenient to be a default: a number may be off by a factor of 100 (percent), brackets do not matter, and a number
that only stands last is an answer. Different: LaTeX is parsed by the maintained successor of its parser, and no
expression is ever evaluated as Python, which ``parse_expr`` there does.

Source: QwenLM/Qwen2.5-Math, evaluation/parser.py and evaluation/grader.py (Yang et al. 2024, arXiv 2409.12122).
"""

import contextlib
import math
import re
from typing import Any

from prmkit.grade.math.latex_text import strip_text

_CHOICES = ("A", "B", "C", "D", "E")
_MATRIX = re.compile(r"^\\begin\{[pb]matrix\}(.*)\\end\{[pb]matrix\}$", re.DOTALL)
_SENTENCES = ("he answer is", "final answer is", "答案是")


def extract(solution: str) -> str | None:
    """The answer of a solution, in its canonical text; None if there is none."""
    solution = solution.replace("ки", "")
    found = _declared(solution)
    if found is None:
        numbers = re.findall(r"-?\d*\.?\d+", solution.replace(",", ""))
        found = numbers[-1] if numbers else ""
    found = re.sub(r"\n\s*", "", found).lstrip(":").rstrip(".").rstrip("/")
    return stripped(found) or None


def _declared(solution: str) -> str | None:
    if "final answer is $" in solution and "$. I hope" in solution:
        return solution.split("final answer is $", 1)[1].split("$. I hope", 1)[0].strip()
    if "boxed" in solution:
        last = solution.split("boxed")[-1]
        return (_braced(last) if last[:1] == "{" else last.split("$")[0].strip()) if last else ""
    for sentence in _SENTENCES:
        if sentence in solution:
            return solution.split(sentence)[-1].strip().split("\n\n")[0].strip()
    return None


def _braced(text: str) -> str:
    depth = 0
    for index, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return text[1:index]
    return text[1:]


def stripped(text: str) -> str:
    """Its ``strip_string``: dollars, units in text, thin spaces and variable names removed."""
    text = text.strip().replace("\n", "").rstrip(".").replace("\\(", "").replace("\\)", "")
    text = re.sub(r"\\text\{\s*(?:[a-zA-Z ]+)\}$", "", text) or text
    text = re.sub(r"\\text\{(.*?)\}", r"\1", text)
    for word in ("\\$", "$", "x=", "y=", "z=", "x\\in", "y\\in", "z\\in", "x\\to", "y\\to", "z\\to", "\\emptyset"):
        text = text.replace(word, "{}" if word == "\\emptyset" else "")
    text = text.replace("(-\\infty,\\infty)", "\\mathbb{R}").replace("infinity", "\\infty").replace("and", "")
    text = text.replace("\\mathbf", "").replace("'", "").replace('"', "")
    text = re.sub(r"(\d+)\.0*([^\d])", r"\1\2", text)
    text = re.sub(r"(\d+)\.0*$", r"\1", text)
    return text if text == "0.5" else strip_text(text)  # MATH's special case is not taken over there


def same(gold: str, answer: str, *, depth: int = 0) -> bool:
    """Whether the answer is right: ``math_equal(answer, gold)`` there."""
    if depth == 0:
        gold, answer = stripped(gold), stripped(answer)
    gold, answer = gold.strip(), answer.strip()
    if answer.lower() == gold.lower() or (gold in _CHOICES and _choice(answer) == gold):
        return True
    one, other = _digits(gold), _digits(answer)
    if one is not None and other is not None:
        return any(math.isclose(other, wanted, rel_tol=1e-4) for wanted in (one / 100, one, one * 100))
    if not answer or depth > 3:
        return False
    return _without_brackets(gold, answer) or _by_parts(gold, answer, depth) or _as_equations(gold, answer, depth)


def _without_brackets(gold: str, answer: str) -> bool:
    texts = [gold, answer]
    square = answer[:1] == "[" and answer[-1:] == "]" and gold[:1] != "("
    round_ = answer[:1] == "(" and answer[-1:] == ")" and gold[:1] != "["
    if square or round_:
        texts = [text.strip("[]()") for text in texts]
    one, other = (re.sub(r"[{}()]", "", text).lower() for text in texts)
    return one == other


def _by_parts(gold: str, answer: str, depth: int) -> bool:
    """Tuples, intervals and matrices, element by element."""
    matrices = [_MATRIX.match(text) for text in (gold, answer)]
    if all(matrices):
        rows = [[row.split("&") for row in match[1].split("\\\\") if row.strip()] for match in matrices if match]
        return [len(row) for row in rows[0]] == [len(row) for row in rows[1]] and all(
            same(a, b, depth=depth + 1) for x, y in zip(*rows, strict=True) for a, b in zip(x, y, strict=True)
        )
    if all(re.fullmatch(r"[(\[].+[)\]]", text, re.DOTALL) for text in (gold, answer)):
        wanted, given = gold[1:-1].split(","), answer[1:-1].split(",")
        return len(wanted) == len(given) > 1 and all(
            same(a, b, depth=depth + 1) for a, b in zip(wanted, given, strict=True)
        )
    return False


def _as_equations(gold: str, answer: str, depth: int) -> bool:
    if gold.count("=") == answer.count("=") == 1:
        one, other = (
            f"{left.strip()} - ({right.strip()})" for left, _, right in (gold.partition("="), answer.partition("="))
        )
        return _symbolic(one, other) or _symbolic(one, f"-({other})")
    for equation, plain, turned in ((answer, gold, False), (gold, answer, True)):
        left, equals, right = equation.partition("=")
        if equals and "=" not in right and len(left.strip()) <= 2 and "=" not in plain:
            return same(right, plain, depth=depth + 1) if turned else same(plain, right, depth=depth + 1)
    return _symbolic(gold, answer)


def _symbolic(gold: str, answer: str) -> bool:
    import sympy

    one, other = _parsed(gold), _parsed(answer)
    if one is None or other is None:
        return False
    # sympy raises nearly anything on what it cannot compare; none of it is an equality.
    with contextlib.suppress(Exception):
        if one == other or one.equals(other) or sympy.simplify(one - other) == 0:
            return True
    with contextlib.suppress(Exception):
        return math.isclose(float(sympy.N(one)), float(sympy.N(other)), rel_tol=1e-4)
    return False


def _parsed(text: str) -> Any:
    from latex2sympy2_extended import latex2sympy

    try:
        return latex2sympy(text.replace("\\\\", "\\"))
    # The parser's own errors are of many kinds.
    except Exception:
        return None


def _digits(text: str) -> float | None:
    text = text.replace(",", "")
    percent = text.endswith("%")
    text = text.removesuffix("%").removesuffix("\\") if percent else text
    try:
        number = float(text)
    except ValueError:
        return None
    return number / 100 if percent else number


def _choice(text: str) -> str:
    text = text.strip("\n").rstrip(".").rstrip("/").strip(" ").lstrip(":")
    found = re.findall(r"\b(A|B|C|D|E)\b", text.upper())
    return found[-1] if found else text.strip().strip(".")
