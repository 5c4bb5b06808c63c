"""The names that data sets give to the columns of a problem, and what stands in them.

A name is tried as it is and then in any case (``ID``, ``Problem``); ``reward_model.ground_truth`` is a column within a
column. What is null, NaN or blank counts as not there.
"""

import ast
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prmkit.errors import InputError
from prmkit.grade.math.extraction import extract
from prmkit.rows_io import Fields, plain

ID = (
    "custom_id", "id", "task_id", "unique_id", "question_id", "problem_id", "doc_id", "uid", "uuid", "_id", "qid",
    "example_id", "instance_id", "idx", "index", "extra_info.index", "sample_id", "name",
)  # fmt: skip
PROBLEM = (
    "problem", "question", "question_content", "problem_text", "problem_statement", "question_text", "query",
    "instruction", "prompt", "input", "content",
)  # fmt: skip
ANSWER = (
    "answer", "final_answer", "expected_answer", "ground_truth", "reward_model.ground_truth", "gold", "gold_answer",
    "golden_answer", "gt", "gts", "gt_answer", "gt_ans", "target", "reference_answer", "correct_answer", "ref_answer",
    "reference", "expected", "answers", "answer_key", "answerkey",
)  # fmt: skip
WORKED = ("solution", "reference_solution", "worked_solution", "rationale", "gt_cot")
"""Worked solutions, which declare the answer where no column of its own does."""

LEVEL = ("level", "difficulty", "difficulty_level", "extra_info.level", "metadata.level", "metadata.difficulty")
SUBJECT = (
    "subject", "subfield", "category", "topic", "problem_type", "type", "subjects", "topics", "data_topic",
    "extra_info.subject", "metadata.subject", "metadata.type",
)  # fmt: skip

_BEFORE = ("context", "body", "passage")
"""What a question is about, where it stands in a column of its own."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_RATIONALE = re.compile(r"####|\\boxed|\\fbox|\banswer\s*(?:is\b|:)|\n(?-i:A:\s)", re.IGNORECASE)
"""What stands in the rationales that data sets give for gold answers."""

_LONGEST_LIST = 10_000
"""Characters of a list that is written as a text."""


def first(row: Fields, names: Sequence[str]) -> tuple[str, Any]:
    """The first of ``names`` that the row has, and its value; an empty name and None where it has none of them."""
    return next(_present(row, names), ("", None))


def _present(row: Fields, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Those of ``names`` that the row has, and their values."""
    folded = {str(name).casefold(): name for name in reversed(list(row))}
    for name in names:
        outer, _, inner = name.partition(".")
        column = outer if outer in row else folded.get(outer)
        value = row.get(column) if column is not None else None
        if inner:
            value = first(value, (inner,))[1] if isinstance(value, Mapping) else None
        if not _is_blank(value):
            yield str(column), value


def id_of(row: Fields) -> str | None:
    """The id of a row's problem; 7, 7.0 and "7" are one."""
    return _named(row, ID)


def problem_of(row: Fields, where: str) -> str:
    """The text of a row's problem, of a chat what its user said last, behind its context.

    Raises:
        InputError: the row has none.
    """
    text = problem_text(row)
    if text is None:
        raise InputError("the row has no problem", where=where, got=sorted(row), expected="problem or question")
    return text


def problem_text(row: Fields) -> str | None:
    """As ``problem_of``; None where the row has none."""
    text = next((text for _, value in _present(row, PROBLEM) if (text := said(value, "user"))), None)
    before = plain(first(row, _BEFORE)[1])
    return f"{before}\n\n{text}" if before and text else text


def said(value: Any, role: str) -> str | None:
    """A text, or of chat messages what this role said last; None for anything else, and where it said nothing."""
    if isinstance(value, str):
        return value.strip() or None
    messages = value if isinstance(value, list) else []
    found = [each for each in messages if isinstance(each, Mapping) and each.get("role") == role]
    return spoken(found[-1].get("content")).strip() or None if found else None


def spoken(content: Any) -> str:
    """The text of a chat message's content: itself, or its parts that are text."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping) and part.get("type", "text") == "text"]
        return "".join(str(part.get("text") or "") for part in parts)
    return content if isinstance(content, str) else ""


def gold_of(row: Fields, where: str) -> str | None:
    """The gold answer of a row: from its own column, else what its worked solution declares; None without either.

    Raises:
        InputError: as ``gold_text``.
    """
    name, value = first(row, ANSWER)
    if value is not None:
        text, choices = gold_text(value, where, name), _choices(row)
        return _chosen(text, choices, numbered=not isinstance(value, str)) if choices else text
    worked = first(row, WORKED)[1]
    return extract(worked) if isinstance(worked, str) else None


def _choices(row: Fields) -> dict[str, str]:
    """The texts of a row's choices by their letters, in MMLU's form, MedQA's or ARC's; empty where it has none."""
    pairs: Iterable[tuple[Any, Any]] = ()
    match first(row, ("choices", "options"))[1]:
        case {"label": list(letters), "text": list(texts)}:
            pairs = zip(letters, texts, strict=False)
        case dict(given):
            pairs = given.items()
        case list(texts):
            pairs = zip(_LETTERS, texts, strict=False)
    named = {str(letter): text for letter, each in pairs if (text := plain(each)) is not None}
    return named if all(len(letter) == 1 for letter in named) else {}  # longer ones are settings of a generation


def _chosen(gold: str, choices: Mapping[str, str], *, numbered: bool) -> str:
    """A gold answer that names one of the choices: its letter, which its text stands behind where a file gives that.

    A number that is none of the texts, or that the file has as a number, counts the choices from 0, as in MMLU.
    """
    if gold in choices:
        return gold
    letters = [letter for letter, text in choices.items() if text == gold]
    if len(letters) == 1 and not numbered:
        return f"({letters[0]}) {gold}"
    counted = re.fullmatch("[0-9]{1,2}", gold) and int(gold) < len(choices)
    return list(choices)[int(gold)] if counted else gold


def gold_text(value: Any, where: str, column: str = "answer") -> str:
    r"""A gold answer as text, whatever form a file gives it.

    A number keeps all its digits, and 27.0 is 27. Of a rationale it is what it declares, behind ``####``, in its last
    box or behind "the answer is". A list means all of its answers, as in OlympiadBench: ``["$2$", "3"]`` is ``2, 3``.

    Raises:
        InputError: it is of another form: an object, a list of such or of none.
    """
    if isinstance(value, str) and (listed := _written_list(value)):
        value = listed
    if isinstance(value, list):
        texts = [plain(each) for each in value]
        if texts and None not in texts:
            return ", ".join(_declared(without_dollars(text)) for text in texts if text is not None)
    text = plain(value)
    if text is None or not text.strip("$ "):
        raise InputError(f"illegal {column}", where=where, got=value, expected="a text, a number, or a list of them")
    return _declared(text)


def level_of(row: Fields) -> str | None:
    """The level of a row's problem: ``Level 5``, 5 and "5" are one."""
    text = _named(row, LEVEL)
    return None if text is None else re.sub(r"(?i)^level[\s:_-]*(?=\S)", "", text)


def subject_of(row: Fields) -> str | None:
    """The subject of a row's problem."""
    return _named(row, SUBJECT, several=True)


def _named(row: Fields, names: Sequence[str], *, several: bool = False) -> str | None:
    """The text of the first of ``names`` that has one; of a list, where there may be ``several``, all of them."""
    for _, value in _present(row, names):
        texts = value if several and isinstance(value, list) else [value]
        if found := [text for each in texts if (text := plain(each)) is not None]:
            return ", ".join(found)
    return None


def _is_blank(value: Any) -> bool:
    if isinstance(value, float) and math.isnan(value):
        return True
    return value is None or (isinstance(value, str) and not value.strip())


def _declared(text: str) -> str:
    """What a rationale declares; any other text as it is."""
    return extract(text) or text if _RATIONALE.search(text) else text


def _written_list(text: str) -> list[str] | None:
    """A list of texts that somebody wrote as Python or JSON does: ``['2', '3']``."""
    text = text.strip()
    if not re.match(r"\[\s*['\"]", text) or len(text) > _LONGEST_LIST:
        return None
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, list) and all(isinstance(each, str) for each in value) else None


def without_dollars(text: str) -> str:
    """Mathematics without the signs around it: ``$69$,$84$`` is ``69,84``."""
    return re.sub(r"(?<!\\)\$", "", text) if text.startswith("$") and text.endswith("$") else text
