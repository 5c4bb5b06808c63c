"""Several answers: lists, sets, tuples, intervals and their unions, matrices, ratios."""

import re
from collections.abc import Iterable

from prmkit.grade.math.forms import (
    Choice,
    Expression,
    Form,
    Group,
    Inner,
    Kind,
    Named,
    Number,
    Relation,
    Text,
    brackets,
)
from prmkit.grade.math.forms.words import has_words
from prmkit.grade.math.notation import compact

_SEMICOLON = re.compile(r";")
_AND = re.compile(r"\s*,?\s*(?<![a-zA-Z])(?:and|or|&)(?![a-zA-Z])\s*")
_COMMA = re.compile(r",")
_CUP = re.compile(r"\\cup(?![a-zA-Z])")
_RATIO = re.compile(r"\s*:\s*(?!=)|(?<=\d)\s+to\s+(?=\d)")
_PLUS_MINUS = re.compile(r"\\([pm][mp])(?![a-zA-Z])")
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?!\d|,\d)")
_MATRIX = re.compile(r"\\begin\{[pbvBV]?(?:small)?matrix\}(.*)\\end\{[pbvBV]?(?:small)?matrix\}", re.DOTALL)
_SYSTEM = re.compile(r"(?:\\\{\s*)?\\begin\{(cases|aligned|gathered|array)\}(?:\{[lcr]*\})?(.*)\\end\{\1\}", re.DOTALL)
_CONDITION = re.compile(r"\\mid|\||:(?!\d)")
_BRACKETS: tuple[tuple[str, str, Kind], ...] = (
    ("(", ")", "tuple"),
    ("[", ")", "[)"),
    ("(", "]", "(]"),
    ("[", "]", "[]"),
    ("\\{", "\\}", "set"),
    ("{", "}", "set"),
    ("\\langle", "\\rangle", "tuple"),
)
_INTERVALS: tuple[Kind, ...] = ("()", "[)", "(]", "[]")


def several(text: str, inner: Inner) -> Form | None:
    """Parts between semicolons; else between "and", "or" and commas."""
    grouped = sum(match[1].count(",") for match in _THOUSANDS.finditer(text))
    if re.search(r",\s", text) or (grouped == text.count(",") and not re.search(r"[(\[]|\\\{", text)):
        text = _THOUSANDS.sub(lambda match: match[1].replace(",", ""), text)
    parts = _parts(text, _SEMICOLON)
    if len(parts) < 2 or not any("," in part for part in parts):
        parts = [part for half in parts for part in _parts(half, _AND)]
    if len(parts) < 2 or not all(_RECORD.search(part) for part in parts):
        parts = [part for half in parts for part in _parts(half, _COMMA)]
    if len(parts) < 2:
        return None
    forms = [inner(part) for part in parts]
    if re.search(r"\bor\b", text) and all(_equals(form, forms[0]) for form in forms):
        return forms[0]  # 3/4, or 0.75
    return _together(forms, text)


def _equals(one: Form, other: Form) -> bool:
    return isinstance(one, Number) and isinstance(other, Number) and one.value == other.value


_RECORD = re.compile(r"=.*,.*=|;")
"""Parts that are records of their own: p=5,q=2."""


def enclosed(text: str, inner: Inner) -> Form | None:
    """What stands between brackets, in a matrix, on the lines of a system, or in a union of such."""
    parts = _parts(text, _CUP)
    if len(parts) > 1:
        return Group("union", tuple(map(inner, parts)), text)
    if matrix := _MATRIX.fullmatch(text):
        rows = (row for row in matrix[1].split("\\\\") if row.strip())
        return Group("matrix", tuple(Group("matrix", tuple(map(inner, row.split("&"))), row) for row in rows), text)
    if system := _SYSTEM.fullmatch(text):
        lines = [line.strip(" ,;") for line in re.sub(r"&\s*(?==)", "", system[2]).split("\\\\") if line.strip(" ,;")]
        if lines and not any("&" in line for line in lines):
            return _together([inner(line) for line in lines], text)
    for opening, closing, kind in _BRACKETS:
        inside = brackets.enclosed(text, opening, closing)
        if inside is not None:
            return _set(inside.strip(), text, inner) if kind == "set" else _ordered(inside.strip(), kind, text, inner)
    return None


def ratio(text: str, inner: Inner) -> Form | None:
    """2:4 and 2 to 4 are a half; 2:4:6 is 1:2:3."""
    parts = brackets.split(text, _RATIO)[::2]
    if len(parts) < 2 or not all(parts):
        return None
    forms = [inner(part) for part in parts]
    numbers = [form.value for form in forms if isinstance(form, Number)]
    if len(numbers) < len(forms) or 0 in numbers:
        return Expression(rf"\frac{{{parts[0]}}}{{{parts[1]}}}") if len(parts) == 2 and not has_words(text) else None
    if len(numbers) == 2:
        return Number(numbers[0] / numbers[1])
    return Group("ratio", tuple(Number(number / numbers[0]) for number in numbers), text)


def plus_minus(text: str, inner: Inner) -> Form | None:
    r"""The two that ``\pm`` and ``\mp`` stand for."""
    if not _PLUS_MINUS.search(text):
        return None
    both = (_signed(text, plus) for plus in ("pm", "mp"))
    return Group("list", tuple(map(inner, both)), text)


def _signed(text: str, plus: str) -> str:
    signed = _PLUS_MINUS.sub(lambda match: "+" if match[1] == plus else "-", text)
    return signed.removeprefix("+").strip()


def _parts(text: str, separator: re.Pattern[str]) -> list[str]:
    return [part for part in brackets.split(text, separator)[::2] if part]


def _flat(forms: Iterable[Form]) -> list[Form]:
    """With the items of lists in the place of the lists."""
    flat: list[Form] = []
    for form in forms:
        flat += form.items if isinstance(form, Group) and form.kind == "list" else [form]
    return flat


def _together(forms: list[Form], text: str) -> Form:
    """Bare answers side by side: one name goes for all, several make a record."""
    first, *others = flat = _flat(forms) or [Text(compact(text))]
    if not others:
        return first
    if isinstance(first, Named) and not any(isinstance(item, (Named, Relation)) for item in others):
        return Named(first.name, _bare([first.value, *others], text), text)
    named = [item for item in flat if isinstance(item, Named)]
    names = {item.name for item in named}
    if len(named) == len(flat) and len(names) == 1:
        return Named(named[0].name, _bare([item.value for item in named], text), text)
    return Group("record", tuple(flat), text) if len(names) == len(flat) else _bare(flat, text)


def _bare(forms: list[Form], text: str) -> Form:
    """A list; a union where all are intervals for certain; an order of letters from A on, or of words."""
    flat = _flat(forms)
    intervals = [item for item in flat if isinstance(item, Group) and item.kind in _INTERVALS]
    if len(intervals) == len(flat):
        return _overlap(intervals) or Group("union", tuple(flat), r"\cup ".join(item.text for item in intervals))
    letters = [item.letter for item in flat if isinstance(item, Choice) and item.text is None]
    ranking = sorted(letters) == [chr(ord("A") + place) for place in range(len(flat))]
    words = all(isinstance(item, Text) for item in flat)
    return Group("order" if len(flat) > 2 and (ranking or words) else "list", tuple(flat), text)


def _overlap(intervals: list[Group]) -> Form | None:
    """What two half-lines have in common, as of x > 1 and x < 3: one who joined them would mean every number."""
    for low, high in (intervals, intervals[::-1]) if len(intervals) == 2 else ():
        (start, top), (bottom, end) = low.items, high.items
        if not (isinstance(start, Number) and isinstance(end, Number) and start.value < end.value):
            continue
        if top == _INFINITY and bottom == _MINUS_INFINITY:
            kind = next(kind for kind in _INTERVALS if kind == low.kind[0] + high.kind[1])
            return Group(kind, (start, end), f"{kind[0]}{start.value},{end.value}{kind[1]}")
    return None


_INFINITY, _MINUS_INFINITY = Expression(r"\infty"), Expression(r"-\infty")


def _set(inside: str, text: str, inner: Inner) -> Form | None:
    """A set; braces without backslashes around one part are none."""
    parts = _parts(inside, _SEMICOLON if ";" in inside else _COMMA)
    if text.startswith("{") and len(parts) < 2:
        return inner(inside) if inside else None
    if not text.startswith("{") and (bar := _CONDITION.search(inside)):
        condition = inner(inside[bar.end() :])
        said = isinstance(condition, Named) and isinstance(condition.value, Group)
        return condition if said else Relation(text, is_equation=False)
    return Group("set", tuple(_flat(map(inner, parts))), text) if parts else None


def _ordered(inside: str, kind: Kind, text: str, inner: Inner) -> Form | None:
    """A tuple or an interval; one part in parentheses is itself, in square brackets a list, as of Python."""
    parts = _parts(inside, _SEMICOLON if ";" in inside else _COMMA)
    if kind == "tuple":
        if len(parts) > 1:
            return Group("tuple", tuple(map(inner, parts)), text)
        return inner(inside) if inside and not re.search(r"[+-]|\\pm", inside) else None
    if kind == "[]" and parts and len(parts) != 2:
        return Group("list", tuple(map(inner, parts)), text)
    return Group(kind, tuple(map(inner, parts)), text) if len(parts) == 2 else None
