"""Fenced blocks of Markdown as language models write them, which is not always as the standard has it.

A block opens with three or more backticks or tildes, indented or behind other text, with or without the name of a
language. It ends at a fence of the same sign that is at least as long, alone on its line or behind its last line of
code; or where another block opens; or with the text. A first fence that names no language and has code before it closes
that code: a prompt that ends in an opening fence is answered so.

Source: CommonMark 0.31, "Fenced code blocks", for the fences that are well formed.
"""

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

_FENCE = re.compile(r"`{3,}|~{3,}")
_MARGIN = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?")
_INFO = re.compile(r"[ \t]*(?:\{[^}]*\}|[\w.+#:=/-]*(?: [\w.+#:=\"'/-]+){0,3})[ \t]*")
_ONE_WORD = re.compile(r"[ \t]*[\w.+#:,;!)-]*[ \t]*")
_PYTHON = re.compile(r"i?py(?:thon)?[\d.]*|pycon", re.IGNORECASE)
_TRIPLE = re.compile("\"{3}|'{3}")
_WORD = re.compile(r"[A-Za-z][\w+#.]*")


@dataclass(frozen=True, slots=True)
class Block:
    """The text of a block without the indentation of its fence; whether its fence names Python, another language, none.

    ``foreign``: it names something else than Python.
    """

    text: str
    foreign: bool = False


@dataclass(slots=True)
class _Open:
    indent: int
    fence: str
    info: str
    quoted: bool
    lines: list[str]
    in_string: bool = False

    def add(self, line: str) -> None:
        self.lines.append(line)
        self.in_string ^= len(_TRIPLE.findall(line)) % 2 == 1


def split(text: str, is_code: Callable[[str], bool]) -> tuple[list[Block], list[str]]:
    """The blocks of a text in order, and the texts outside of them. Lines are told by ``\\n`` alone.

    Args:
        text: what a model wrote.
        is_code: whether a text before a first fence that names no language is code.
    """
    blocks: list[Block] = []
    outside: list[list[str]] = [[]]
    block: _Open | None = None
    first = _may_close(text)
    for line in text.split("\n"):
        found = _fence_of(line, block)
        if found is None:
            if block is None:
                outside[-1].append(line)
            else:
                block.add(line)
            continue
        before, fence, info = found
        if block is None:
            if first and is_code("\n".join([*outside[-1], before])):
                blocks.append(_block("\n".join([*outside.pop(), before]), ""))
                outside.append([])
            else:
                outside[-1].append(before)
                outside.append([])
                block = _opened(before, fence, info)
            first = False
            continue
        if before.strip(" \t>"):
            block.add(before)
        blocks.append(_closed(block))
        block = _opened(before, fence, info) if info.strip() else None
    if block is not None:
        blocks.append(_closed(block))
    return blocks, ["\n".join(lines) for lines in outside]


def _may_close(text: str) -> bool:
    """Whether the first fence may close what stands before it: without it, those that name no language are pairs."""
    infos = [found[2].strip() for line in text.split("\n") if (found := _fence_of(line, None)) is not None]
    return next((index for index, info in enumerate(infos) if info), len(infos)) % 2 == 1


def _fence_of(line: str, block: _Open | None) -> tuple[str, str, str] | None:
    """What stands before a fence, the fence, and what stands behind it; None for a line that has none."""
    found = _FENCE.search(line)
    if found is None:
        return None
    before, fence, info = line[: found.start()], found[0], line[found.end() :]
    at_margin = _MARGIN.fullmatch(before) is not None
    named = (_INFO if at_margin else _ONE_WORD).fullmatch(info) is not None
    if not named or "`" in before or "`" in info or (fence[0] == "~" and not at_margin):
        return None
    if block is None:
        return before, fence, info
    if fence[0] != block.fence[0] or len(fence) < len(block.fence):
        return None
    if not at_margin:  # behind the last line of code, a full stop perhaps behind it
        return None if info.strip(" \t.,;:!)") else (before, fence, "")
    # What is far inside, or within a string (a docstring), belongs to the code.
    deeper = _width(before) - block.indent
    return None if deeper > 3 or (deeper > 0 and block.in_string) else (before, fence, info)


def _width(white: str) -> int:
    return len(white.expandtabs(4))


def _opened(before: str, fence: str, info: str) -> _Open:
    at_margin = _MARGIN.fullmatch(before) is not None
    indent = before if at_margin else before[: len(before) - len(before.lstrip())]
    return _Open(_width(indent), fence, info, before.lstrip().startswith(">"), [])


def _closed(block: _Open) -> Block:
    lines = [re.sub(r"^[ \t]*> ?", "", line) for line in block.lines] if block.quoted else block.lines
    text = textwrap.dedent("\n".join(lines))
    if block.indent and text[:1] in (" ", "\t"):
        # Not every line keeps the indentation (the text of a string does not): what the fence has is taken from each.
        text = "\n".join(_outdented(line, block.indent) for line in lines)
    return _block(text, block.info)


def _block(text: str, info: str) -> Block:
    named = _WORD.findall(info)
    return Block(text.rstrip("\n") + "\n", foreign=bool(named) and not any(map(_PYTHON.search, named)))


def _outdented(line: str, columns: int) -> str:
    """The line without white space of up to so many columns."""
    taken = at = 0
    while at < len(line) and line[at] in " \t" and taken < columns:
        taken += 4 if line[at] == "\t" else 1
        at += 1
    return line[at:]
