"""The judge of math: what a solution answers, and whether two answers are the same.

Cheap equality of normalised text and of plain numbers decides nearly always. What it leaves open goes to math-verify in
worker processes (equality.py), since parsing what a model wrote may hang.
"""

import re
from collections.abc import Sequence
from decimal import Decimal

from prmkit.errors import InputError
from prmkit.grade.config import Relation
from prmkit.grade.found import Found, texts
from prmkit.grade.math import extraction, qwen
from prmkit.grade.math.equality import Equality, Workers
from prmkit.tree import Problem

_WORDS = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
_REMOVED = re.compile(r"\\left(?![a-zA-Z])|\\right(?![a-zA-Z])|\\[!,;: ]|\^\{?\\circ\}?|\\\$|\s+")
_GROUPED = re.compile(r"([+-]?)\d{1,3}(?:(?:,|\{,\})\d{3})+(\.\d+)?")
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")


def normalise(answer: str) -> str:
    r"""The canonical text of an answer: no dollars, spaces, ``\left``, ``\text``, degrees, grouping commas, final full
    stop; ``\frac`` for ``\dfrac``; a plain number in its shortest form (073 is 73, 18.00 is 18)."""
    text = answer.strip()
    for opening, closing in (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
        if len(text) > len(opening) + len(closing) and text.startswith(opening) and text.endswith(closing):
            text = text[len(opening) : -len(closing)]
    text = re.sub(r"\\[dt]frac", r"\\frac", _WORDS.sub(r"\1", text))
    text = _REMOVED.sub("", text).removeprefix("$")
    if len(text) > 1:
        text = text.removesuffix(".")
    if _GROUPED.fullmatch(text):
        text = text.replace("{,}", "").replace(",", "")
    return _shortest(text) if is_number(text) else text


def is_number(normalised: str) -> bool:
    """Whether a normalised answer is a plain integer or decimal."""
    return _PLAIN.fullmatch(normalised) is not None


def _shortest(number: str) -> str:
    value = Decimal(number)
    if value == 0:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class MathGrader:
    """The judge of math answers. Two answers are the same if math-verify says so in either direction.

    math-verify is not symmetric (it treats its first argument as gold), and a vote must be; the same relation grades,
    so that a vote and a grade cannot disagree.

    Args:
        relation: whose equality; ``prm800k`` and ``qwen`` are for figures to be compared with theirs. The latter
            extracts answers its own way too.
        workers: the processes that compare.
    """

    def __init__(self, *, relation: Relation = "math-verify", workers: Workers | None = None) -> None:
        self._workers = workers or Workers(relation=relation)
        self._find = _as_qwen if relation == "qwen" else extraction.find
        self._cheap = cheap if relation == "math-verify" else _alike
        self._verdicts: dict[tuple[str, str], Equality] = {}

    def found(self, problem: Problem, solutions: Sequence[str]) -> list[Found | None]:
        """The declared final answer of each solution, and the rule that found it (see extraction.py)."""
        return [self._find(solution) for solution in solutions]

    def answers(self, problem: Problem, solutions: Sequence[str]) -> list[str | None]:
        """The declared final answer of each solution."""
        return texts(self.found(problem, solutions))

    def classes(self, problem: Problem, answers: Sequence[str | None]) -> list[int | None]:
        """Equality with the first answer of each class, tried oldest class first."""
        representatives: list[str] = []
        classes: list[int | None] = []
        known: dict[str, int] = {}
        for answer in answers:
            if answer is None:
                classes.append(None)
                continue
            key = normalise(answer) if self._cheap is cheap else answer
            if key not in known:
                known[key] = self._class_of(answer, representatives)
            classes.append(known[key])
        return classes

    def correct(self, problem: Problem, answers: Sequence[str | None]) -> list[bool]:
        """Whether each answer equals ``problem.answer``; different answers are judged side by side."""
        gold = problem.answer
        if gold is None or not gold.strip():
            raise InputError("the problem has no gold answer", where=problem.id, cure="Grade problems that have one.")
        given = list(dict.fromkeys(answer for answer in answers if answer is not None))
        verdicts = dict(zip(given, self._judge([(gold, answer) for answer in given]), strict=True))
        if "unparsed" in verdicts.values():
            raise InputError(
                "the gold answer does not parse", where=problem.id, got=gold, expected="LaTeX or a plain expression"
            )
        return [answer is not None and verdicts[answer] == "equal" for answer in answers]

    def unsupported(self, problem: Problem) -> str:
        """Nothing: every answer can be judged here."""
        return ""

    def correct_on_base(self, problem: Problem, answers: Sequence[str | None]) -> None:
        """A gold answer is one test."""

    def close(self) -> None:
        """End the worker processes."""
        self._workers.close()

    def _class_of(self, answer: str, representatives: list[str]) -> int:
        for index, representative in enumerate(representatives):
            if self._judge([(representative, answer)])[0] == "equal":
                return index
        representatives.append(answer)
        return len(representatives) - 1

    def _judge(self, pairs: Sequence[tuple[str, str]]) -> list[Equality]:
        """The verdict of each (gold, answer)."""
        open_pairs = [pair for pair in dict.fromkeys(pairs) if pair not in self._verdicts and not self._cheap(*pair)]
        self._verdicts.update(zip(open_pairs, self._workers.compare(open_pairs), strict=True))
        return [self._cheap(*pair) or self._verdicts[pair] for pair in pairs]


def _as_qwen(solution: str) -> Found | None:
    answer = qwen.extract(solution)
    return None if answer is None else Found(answer, "as Qwen2.5-Math")


def cheap(gold: str, answer: str) -> Equality | None:
    """The verdict that text alone gives: the same normalised text, or two different plain numbers; None for open."""
    one, other = normalise(gold), normalise(answer)
    if one == other:
        return "equal"
    return "different" if is_number(one) and is_number(other) else None


def _alike(gold: str, answer: str) -> Equality | None:
    """The only verdict that every grader shares: a text equals itself."""
    return "equal" if gold == answer else None
