"""The judge of math: what a solution answers, and whether two answers are the same.

Plain numbers and equal texts are decided on sight. Every other answer is read into what it means (forms/), and the
forms are compared (agreement.py); what takes algebra goes to worker processes, since sympy may hang.
"""

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, partial
from itertools import combinations

from prmkit.errors import InputError
from prmkit.grade.config import Relation
from prmkit.grade.found import Found, texts
from prmkit.grade.math import extraction, qwen
from prmkit.grade.math.agreement import DIFFERENT, SAME, Agreement, agree
from prmkit.grade.math.algebra import Solver
from prmkit.grade.math.classes import classes_of
from prmkit.grade.math.equality import LATE, Workers
from prmkit.grade.math.forms import Expression, detail, numbers
from prmkit.grade.math.forms.reading import MAX_LENGTH, read
from prmkit.grade.math.notation import compact, plain
from prmkit.tree import Problem

_GROUPED = re.compile(r"([+-]?)\d{1,3}(?:,\d{3})+(\.\d+)?")
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")

Pair = tuple[str, str]
"""A gold answer and an answer."""


@lru_cache(maxsize=4096)
def normalise(answer: str) -> str:
    """The answer in one spelling, without spaces; a plain number in its shortest form (073 is 73, 18.00 is 18)."""
    text = answer.strip()
    if not is_number(text):
        text = compact(plain(text) if len(text) <= MAX_LENGTH else text)
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    return _shortest(text) if is_number(text) else text


def is_number(text: str) -> bool:
    """Whether a text is a plain integer or decimal, of any number of digits."""
    return _PLAIN.fullmatch(text) is not None and text.isascii()


def plain_number(answer: str) -> str | None:
    """The plain number that an answer is, without degrees or dollars, in its shortest form; None if it is none."""
    text = normalise(answer).strip("$°")
    return _shortest(text) if is_number(text) else None


def _shortest(number: str) -> str:
    value = Decimal(number)
    if value == 0:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class MathGrader:
    """The judge of math answers. Equality is symmetric, and the same relation votes and grades.

    Args:
        relation: whose equality; ``prm800k`` and ``qwen`` are for figures to be compared with theirs. They know which
            answer is gold when they grade, and vote if either may be. The latter finds answers its own way too.
        workers: the processes that compare.
    """

    def __init__(self, *, relation: Relation = "math-verify", workers: Workers | None = None) -> None:
        self._workers = workers or Workers(relation=relation)
        self._ours = relation == "math-verify"
        self._solver = Solver(self._workers)
        self._as_qwen = relation == "qwen"
        self._verdicts: dict[Pair, Agreement] = {}
        self._timeouts: Counter[str] = Counter()

    def found(self, problem: Problem, solutions: Sequence[str]) -> list[Found | None]:
        """The declared final answer of each solution, and the rule that found it (see extraction.py)."""
        if self._as_qwen:
            return [qwen.find(solution, problem.answer) for solution in solutions]
        return [extraction.find(solution) for solution in solutions]

    def answers(self, problem: Problem, solutions: Sequence[str]) -> list[str | None]:
        """The declared final answer of each solution."""
        return texts(self.found(problem, solutions))

    def classes(self, problem: Problem, answers: Sequence[str | None]) -> list[int | None]:
        """Classes of equal answers, which do not depend on the order of the answers (see classes.py)."""
        spelled = [self._spelled(answer) for answer in answers]
        distinct = {
            text: answer
            for text, answer in zip(spelled, answers, strict=True)
            if text is not None and answer is not None
        }
        given = list(distinct.values())
        plain_ones = {answer for text, answer in distinct.items() if self._ours and is_number(text)}
        consist_of = {answer: numbers(read(answer)) if self._ours else None for answer in given}

        def open_to(one: str, other: str) -> bool:
            """Whether two may be equal: there may be many of which text or numbers say that they are not."""
            first, second = consist_of[one], consist_of[other]
            different = first is not None and second is not None and first != second
            return not (different or (one in plain_ones and other in plain_ones))

        pairs = [pair for pair in combinations(given, 2) if open_to(*pair)]
        verdicts = dict(zip(pairs, self._judge_either_way(problem, pairs), strict=True))
        details = [detail(read(answer)) if self._ours else 0 for answer in given]
        labels = classes_of(details, lambda one, other: verdicts.get((given[one], given[other]), DIFFERENT))
        label_of = dict(zip(distinct, labels, strict=True))
        return [label_of.get(text) if text is not None else None for text in spelled]

    def correct(self, problem: Problem, answers: Sequence[str | None]) -> list[bool]:
        """Whether each answer equals ``problem.answer``; different answers are judged side by side.

        Where nothing is right, it is asked whether the gold answer is one.
        """
        gold = problem.answer
        if gold is None or not gold.strip():
            raise InputError("the problem has no gold answer", where=problem.id, cure="Grade problems that have one.")
        given = list(dict.fromkeys(answer for answer in answers if answer is not None))
        verdicts = dict(zip(given, self._judge(problem, [(gold, answer) for answer in given]), strict=True))
        right = [answer is not None and verdicts[answer] is not DIFFERENT for answer in answers]
        if self._ours and not any(right) and self._is_nonsense(gold):
            raise InputError(
                "the gold answer does not parse", where=problem.id, got=gold, expected="LaTeX or a plain expression"
            )
        return right

    def unsupported(self, problem: Problem) -> str:
        """Nothing: every answer can be judged here."""
        return ""

    def timeouts(self, problem: Problem) -> int:
        """Pairs of answers to the problem that ran out of time so far."""
        return self._timeouts[problem.id]

    def correct_on_base(self, problem: Problem, answers: Sequence[str | None]) -> None:
        """A gold answer is one test."""

    def close(self) -> None:
        """End the worker processes."""
        self._workers.close()

    def _spelled(self, answer: str | None) -> str | None:
        return normalise(answer) if answer is not None and self._ours else answer

    def _is_nonsense(self, gold: str) -> bool:
        """Whether the gold answer looks like mathematics and is none."""
        form = read(gold)
        if is_number(normalise(gold)) or not isinstance(form, Expression):
            return False
        itself = form.text
        self._solver.solved([lambda known: known.equal(itself, itself, Fraction(0))], self._workers.deadline())
        return self._solver.is_nonsense(itself)

    def _judge(self, problem: Problem, pairs: Sequence[Pair]) -> list[Agreement]:
        """How equal each (gold, answer) is; within the budget of one problem."""
        deadline = self._workers.deadline()
        cheap = self._cheap
        found = {pair: verdict for pair in pairs if (verdict := cheap(pair)) is not None}
        left = [pair for pair in dict.fromkeys(pairs) if pair not in found and pair not in self._verdicts]
        for pair, (agreement, late) in zip(left, self._compared(left, deadline), strict=True):
            self._verdicts[pair] = agreement
            self._timeouts[problem.id] += late and agreement is DIFFERENT
        return [found[pair] if pair in found else self._verdicts[pair] for pair in pairs]

    def _judge_either_way(self, problem: Problem, pairs: Sequence[Pair]) -> list[Agreement]:
        """How equal two answers are of which none is gold: the relations of others are one-sided, a vote is not."""
        there = self._judge(problem, pairs)
        back = there if self._ours else self._judge(problem, [(other, one) for one, other in pairs])
        return [one if one is not DIFFERENT else other for one, other in zip(there, back, strict=True)]

    def _cheap(self, pair: Pair) -> Agreement | None:
        """What text alone says: the same text, or two plain numbers; None for open."""
        gold, answer = pair
        if gold == answer:
            return SAME
        if not self._ours:
            return None
        return on_sight(gold, answer)

    def _compared(self, pairs: Sequence[Pair], deadline: float) -> list[tuple[Agreement, bool]]:
        """How equal each pair is, and whether it ran out of time."""
        if self._ours:
            comparisons = [partial(agree, read(gold), read(answer)) for gold, answer in pairs]
            return self._solver.solved(comparisons, deadline)
        replies = self._workers.ask([("same", *pair) for pair in pairs], deadline)
        return [(SAME if reply is True else DIFFERENT, reply is LATE) for reply in replies]


def on_sight(gold: str, answer: str) -> Agreement | None:
    """What text alone says of two answers: the same in one spelling, or two different plain numbers; None for open."""
    one, other = normalise(gold), normalise(answer)
    if one == other:
        return SAME
    return DIFFERENT if is_number(one) and is_number(other) else None
