"""Brackets of every kind: how deep they go, and what stands between and outside of them."""

import re

_BRACKET = re.compile(r"\\[{}]|\\[lr]angle(?![a-z])|[()\[\]{}]|\\begin\{[a-zA-Z]*\*?\}?|\\end\{[a-zA-Z]*\*?\}?")
_OPENINGS = ("(", "[", "{", "\\{", "\\langle", "\\begin{")
_COMMAND = re.compile(r"\\[a-zA-Z]*")


def _step(bracket: str) -> int:
    return 1 if bracket.startswith(_OPENINGS) else -1


def depth(text: str) -> int:
    """How many brackets are open at most."""
    now = deepest = 0
    for bracket in _BRACKET.finditer(text):
        now = max(0, now + _step(bracket[0]))
        deepest = max(deepest, now)
    return deepest


def split(text: str, separator: re.Pattern[str]) -> list[str]:
    """The parts between separators outside of all brackets, with the separators at the odd places."""
    parts, open_brackets, start, at = [], 0, 0, 0
    while at < len(text):
        if bracket := _BRACKET.match(text, at):
            open_brackets = max(0, open_brackets + _step(bracket[0]))
            at = bracket.end()
        elif open_brackets == 0 and (found := separator.match(text, at)) and found.end() > at:
            parts += [text[start:at].strip(), found[0].strip()]
            start = at = found.end()
        else:
            command = _COMMAND.match(text, at)
            at = command.end() if command else at + 1
    return [*parts, text[start:].strip()]


def enclosed(text: str, opening: str, closing: str) -> str | None:
    """What stands between two brackets around the whole text; None if they are not there."""
    if not (text.startswith(opening) and text.endswith(closing) and len(text) >= len(opening) + len(closing)):
        return None
    now = 0
    for bracket in _BRACKET.finditer(text):
        now += _step(bracket[0])
        if now <= 0:
            return text[len(opening) : -len(closing)] if bracket.end() == len(text) else None
    return None
