"""A step is a statement of a Python program: a function, a loop, an assignment, with the comments above it."""

import re
from dataclasses import dataclass

from prmkit.segment import Segmenter
from prmkit.segment.blocks import Hold, fence_closing, fence_from, is_bare
from prmkit.segment.program import is_program, line_starts
from prmkit.segment.separator import separated

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CONTINUATIONS = ("elif", "else", "except", "finally")


def _starts() -> frozenset[str]:
    """What a line begins with that begins a statement: as little as tells it from one that goes on with ``else``, ...

    Names that share more with such a word (``excluded``, but ``final_`` is told) go on with the statement above. Every
    literal string costs an engine something, and these names are rare.
    """
    whole = {*_LETTERS, *_LETTERS.upper(), *"_@\"'([{+-*.0123456789"} - {"e", "f"}
    longer = {first + second for first in "ef" for second in _LETTERS + "_0123456789 =([.\"'"}
    longer |= {two + third for two in ("el", "ex", "fi", "fin") for third in _LETTERS + "_"}
    longer |= {"final_", "final "}
    return frozenset(whole | {each for each in longer if not any(word.startswith(each) for word in _CONTINUATIONS)})


STARTS = _starts()
_LENGTHS = sorted({len(start) for start in STARTS})
_FENCE_ENDS = ("```\n", "~~~\n")
_NOTHING = re.compile(r"[^\S\n]*+(?:\n|\Z|#)")
_ONLY_COMMENTS = re.compile(r"(?:[^\S\n]*+(?:#[^\n]*+)?\n)*+\Z")


def statements(step_end: str, *, fenced: bool = True) -> Segmenter:
    """A step ends before a line that begins a statement at the left margin, once there is a statement before it.

    Decorators and comments, also behind blank lines, belong to the statement below them; ``else``, ``elif``,
    ``except``, ``finally`` and closing brackets to the one above (``case`` stands at the margin only as a name). Lines
    in an open bracket or string begin nothing, as long as that takes no more than ``LONGEST`` characters.

    Args:
        step_end: ends the steps of prose.
        fenced: programs stand in fenced blocks, or begin the text. A block's first line belongs to the step of the
            first statement (what stands before it without a ``step_end`` does too), and its last line ends the last
            step. What is in no block is prose, unless it begins like a program. That is read off the first line of a
            step, since nothing else tells whether the step before it ended within a program. Without ``fenced`` the
            whole text is a program.
    """
    lines = tuple(f"\n{start}" for start in sorted(STARTS))
    return _Statements((step_end, *_FENCE_ENDS, *lines) if fenced else lines, step_end if fenced else None)


@dataclass(frozen=True, slots=True)
class _Statements:
    stops: tuple[str, ...]
    step_end: str | None
    """None: the whole text is a program."""
    tokens: None = None

    def end(self, text: str) -> int | None:
        if self.step_end is None:
            return _statement_end(text, 0, len(text))
        # An answer waits for a stop: what a line is may be clear before, but nobody asks then.
        text = text[: self._last_completion(text, self.step_end)]
        program = is_program(text, self.step_end)
        if program is None:
            return None
        fence = fence_from(text, 0)
        outside = text if fence is None else text[: fence.end() - 1]
        end = _statement_end(outside, 0, len(outside)) if program else next(separated(outside, self.step_end), None)
        if end is not None or fence is None:
            return end
        begun = _ONLY_COMMENTS.match(text, 0, fence.start()) is None
        return fence.end() if program and begun and is_bare(fence) else _end_in_block(text, fence)

    def _last_completion(self, text: str, step_end: str) -> int:
        """The last place behind any of the stops; 0 if there is none."""
        last = max((text.rfind(each) + len(each) for each in (step_end, *_FENCE_ENDS) if each in text), default=0)
        line, least = len(text), max(0, last - 1 - _LENGTHS[-1])
        while (line := text.rfind("\n", least, line)) >= 0:
            if (start := _start_at(text, line + 1)) is not None:
                return max(last, line + 1 + len(start))
        return last


def _end_in_block(text: str, fence: re.Match[str]) -> int | None:
    """Where the first statement in a fenced block ends, or the block itself."""
    closing = fence_closing(text, fence[1] or fence[2], fence.end())
    end = _statement_end(text, fence.end(), len(text) if closing is None else closing.start())
    return closing.end() if end is None and closing is not None else end


def _statement_end(text: str, begin: int, end: int) -> int | None:
    """Where the first statement in a program ends, which takes up the text from ``begin`` to ``end``."""
    hold, begun, comments = Hold(), False, None
    for line, inside in line_starts(text, begin, end):
        if line < end and text[line] == "#" and not inside:
            comments = line if comments is None else comments
        elif _NOTHING.match(text, line, end) is None:
            start = _start_at(text, line)
            if start is not None and (not hold.back(line) if inside else begun):
                return line if comments is None else comments
            begun, comments = begun or not (inside or start == "@"), None
    return None


def _start_at(text: str, line: int) -> str | None:
    """What a line begins with that begins a statement."""
    return next((text[line : line + length] for length in _LENGTHS if text[line : line + length] in STARTS), None)
