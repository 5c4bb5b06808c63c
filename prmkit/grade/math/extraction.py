r"""The answer that a math solution declares: an ordered list of rules, of which the first that finds one counts.

A number that only stands last is not an answer. Every rule is linear in the text.
"""

import re
from collections.abc import Callable

from prmkit.grade.found import Found
from prmkit.grade.math.boxes import boxed
from prmkit.grade.math.declarations import declared, declared_behind, declares, last_ones
from prmkit.grade.math.values import value

_MOST_TURNS = 63
"""More are read as one."""
# Where a model has ended its answer: a token of its chat template, or a new problem or turn that it goes on to make up.
_TURN = re.compile(
    r"""
    <[|｜] (?!(?:begin|end)_of_box) [A-Za-z_▁] [\w▁\ ]{1,39} [|｜]>
    | </?s> | <(?:eos|pad|bos)> | <(?:start|end)_of_turn> | \[/?INST\]
    | ^ (?!\n) [ \t#>*_]{0,12}
      (?: (?:(?:new|next|another)[ ])?
          (?:question|problem|exercise|example|instruction|input|query|task|human|user|q) (?:[ ]?\d{1,4}[.)]?)?
        | 问题 | 题目 )
      [*_]{0,3} [ \t]{0,4} (?: [:：] | (?<=[*_]) $ | (?<=\d[.)]) (?=[ ]) )
    | ^ \#{1,6} [ ] (?:question|problem|exercise|example|instruction|input|human|user) [ ]? \d{0,4} [ \t]{0,8} $
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_TAG = re.compile(r"[<\[](/?)(?:final[_ ]?)?answer[>\]]", re.IGNORECASE)
_HASHES = re.compile(r"#{4,}[ \t]*((?:\n\s{0,9})?[^\n#]*)")
_REMARK = re.compile(r"\s*(?:\Z|-{3,}|I hope|Hope|Let me know)")
_HEADING = re.compile(
    r"""
    \s* [*_]{0,3}
    (?: \d{1,2} [.)] \s+ (?!(?:I|We|Let|Hope)\b) [A-Za-z*]
      | (?: step | case | part | conclusion | solution | verif | check | expla | final | answer | summary | note
          | proof )
      | [^\n]* : [*_\s]* $ )
    """,
    re.VERBOSE | re.IGNORECASE,
)
# With nothing or a blank line below it: "A: (0, 0)" above "B: (1, 2)" is a point.
_A_LINE = re.compile(r"^[*_> \t]{0,9}A[*_]{0,3}:([^\n]+)(?=\s*\Z|\n[ \t]*\n)", re.MULTILINE)
_BLOCK = re.compile(r"^# Answer[ \t]*\n\s*(.*(?:\n(?!\s*\n).*)*)", re.MULTILINE)  # PRM800K's


def find(solution: str) -> Found | None:
    """The final answer that a solution declares, and the rule of ``RULES`` that found it; None if it declares none.

    What a model writes behind the end of its turn, or behind the heading of a new problem, answers nothing: the first
    part that declares an answer counts.
    """
    for part in _TURN.split(solution, maxsplit=_MOST_TURNS):
        for rule, search in RULES:
            answer = search(part)
            if answer is not None and answer.strip():
                return Found(answer.strip(), rule)
    return None


def extract(solution: str) -> str | None:
    """The text of what ``find`` finds."""
    found = find(solution)
    return found.text if found else None


def _box(text: str) -> str | None:
    content = boxed(text.replace("<|begin_of_box|>", r"\boxed{").replace("<|end_of_box|>", "}"))  # GLM's
    return content and (declared(content) or content)


def _tagged(text: str) -> str | None:
    opened, found = None, None
    for tag in _TAG.finditer(text):
        if not tag[1]:
            opened = tag.end()
        elif opened is not None:
            found, opened = (opened, tag.start()), None
    if found is None:
        return None
    content = text[slice(*found)]
    return declared(content) or value(content)


def _hashes(text: str) -> str | None:
    for line in last_ones(_HASHES, text):
        content = line[1]
        if not _HEADING.match(content) and not declares(content):
            # In words only at the end: elsewhere it is the heading of what follows.
            found = value(content, in_words=_REMARK.match(text, line.end()) is not None)
            if found is not None:
                return found
    return None


def _answer_block(text: str) -> str | None:
    blocks = _BLOCK.findall(text)
    if not blocks or declares(blocks[-1]):
        return None
    block: str = blocks[-1]
    return block if "\n" in block else value(block)


def _a_line(text: str) -> str | None:
    lines = last_ones(_A_LINE, text)
    return value(lines[0][1]) if lines else None


RULES: tuple[tuple[str, Callable[[str], str | None]], ...] = (
    ("box", _box),
    ("answer tag", _tagged),
    ("#### x", _hashes),
    ("# Answer block", _answer_block),
    ("A: line", _a_line),
    ("declaration", declared),
    ("x is the answer", declared_behind),
)
"""In their order, by the names that stand in the records of evaluations; docs/benchmarks.md has an example of each."""
