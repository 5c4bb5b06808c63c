"""The answer of a solution, as Qwen2.5-Math finds it.

Source: QwenLM/Qwen2.5-Math, evaluation/parser.py (``extract_answer``, ``choice_answer_clean``), and
evaluation/math_eval.py, which reads a question whose gold answer is a letter as one of choices.
"""

import re
from collections.abc import Callable

from prmkit.grade.found import Found
from prmkit.grade.math.qwen.stripping import LONGEST, canonical

CHOICES = "ABCDE"
_END_OF_TURN = re.compile(r"</s>|<\|im_end\|>|<\|endoftext\|>")


def find(solution: str, gold: str | None = None) -> Found | None:
    r"""The answer of a solution in its canonical text; None if there is none, or it is longer than an answer may be.

    Args:
        solution: the whole text. It is read up to the end of the turn.
        gold: the right answer, of which only the kind is used: a choice letter, several of them, or anything else.
            Where nothing is left of it (all of ``\text{east}`` is removed), every answer is empty, and right.
    """
    solution = _END_OF_TURN.split(solution, maxsplit=1)[0].strip()
    text, rule = _declared(solution)
    answer = canonical(text) if len(text) <= LONGEST else ""
    wanted = canonical(gold) if gold is not None and len(gold) <= LONGEST else None
    if wanted is not None and _are_choices(wanted):
        if len(wanted) == 1 and not is_choice(answer):
            answer, rule = _chosen(solution), "choice"
        elif not _are_choices(answer):
            answer, rule = "".join(filter(is_choice, answer)), "choices"
    return Found(answer, rule) if (answer or wanted == "") and len(answer) <= LONGEST else None


def is_choice(text: str) -> bool:
    """Whether a text is one of the letters that name a choice."""
    return len(text) == 1 and text in CHOICES


def last_choice(text: str) -> str:
    """The last choice letter that stands alone, in either case; a text without one, without its end marks."""
    text = text.strip("\n").rstrip(".").rstrip("/").strip(" ").lstrip(":")
    letters = _letters(text)
    return letters[-1] if letters else text.strip().strip(".").rstrip(".").rstrip("/")


def _are_choices(text: str) -> bool:
    return all(map(is_choice, text))


def _chosen(solution: str) -> str:
    """The letter that a solution chooses: the first behind the last "answer is", else the last that stands alone."""
    sentences = ("choice is", "answer is")
    if any(solution.count(sentence) > 1 for sentence in sentences):
        solution = solution.split("\n\n")[0]
    *before, last = re.split("|".join(sentences), solution)
    letters = _letters(last)
    return letters[0] if before and letters else last_choice(last)


def _letters(text: str) -> list[str]:
    return re.findall(r"\b[A-E]\b", text.upper())


def _declared(solution: str) -> tuple[str, str]:
    """What stands where an answer is declared, and the rule by which it does."""
    solution = solution.replace("ки", "")
    rule, _, text = next(row for row in _RULES if all(words in solution for words in row[1]))
    found = re.sub(r"\n\s*", "", text(solution))
    return found.removeprefix(":").removesuffix(".").removesuffix("/"), rule


def _minerva(solution: str) -> str:
    return solution.split("final answer is $", 1)[1].split("$. I hope", 1)[0].strip()


def _boxed(solution: str) -> str:
    last = solution.rpartition("boxed")[2]
    if not last.startswith("{"):
        return last.split("$")[0].strip()
    depth = 0
    for brace in re.finditer(r"[{}]", last):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return last[1 : brace.start()]
    return last[1:]  # a box without its end


def _behind(words: str) -> Callable[[str], str]:
    return lambda solution: solution.rpartition(words)[2].strip()


def _chinese(solution: str) -> str:
    return solution.split("答案是")[1].strip().split("\n\n")[0].strip()


def _last_number(solution: str) -> str:
    numbers = re.findall(r"-?\d*\.?\d+", solution.replace(",", ""))
    return numbers[-1] if numbers else ""


_RULES: tuple[tuple[str, tuple[str, ...], Callable[[str], str]], ...] = (
    ("minerva", ("final answer is $", "$. I hope"), _minerva),
    ("box", ("boxed",), _boxed),
    ("he answer is", ("he answer is",), _behind("he answer is")),
    ("final answer is", ("final answer is",), _behind("final answer is")),
    ("答案是", ("答案是",), _chinese),
    ("last number", (), _last_number),
)
"""The name of a rule, the words that a solution must hold for it, and what it finds; the first that applies counts."""
