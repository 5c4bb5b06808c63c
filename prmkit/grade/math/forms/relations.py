"""Equations and inequalities: a value with its name, or a relation that names none."""

import re

from prmkit.grade.math.forms import Form, Group, Inner, Kind, Named, Number, Quantity, Relation, brackets
from prmkit.grade.math.forms.words import GREEK, has_variables
from prmkit.grade.math.notation import compact

_LETTER = rf"(?:{GREEK}|[A-Za-z])\s*(?:_\s*(?:\{{[^{{}}]*\}}|\w))?'*"
_POINTS = r"[A-Z]\w*(?:\{[^{}]*\})?"
_NAME = re.compile(
    "|".join(
        (
            rf"{_LETTER}(?:\^\{{-1\}})?(?:\s*\([^()=]*\))?",  # x, a_{3}, f(x), f^{-1}(x), y'
            rf"\(\s*{_LETTER}(?:\s*,\s*{_LETTER})+\s*\)",  # (x, y)
            r"\\(?:vec|hat|overrightarrow)\s*(?:\{[^{}]*\}|[A-Za-z])",
            r"(?:m\s*)?\\angle\s*[A-Z]+|\\triangle\s*[A-Z]+|\|?[A-Z]{2,4}\|?|\\overline\{[A-Z]+\}|\|[a-zA-Z]\|",
            r"\\frac\{\s*d\s*[^{}]*\}\{\s*d[^{}]*\}|\\frac\{[A-Z]{2}\}\{[A-Z]{2}\}",  # dy/dx, AB/CD
            rf"{_POINTS}\s*:\s*{_POINTS}|[a-z](?:\s*:\s*[a-z])+",
            r"[A-Za-z]{4,}(?:[ '-][A-Za-z]+)*",  # area, the probability
        )
    )
)
"""What may have a value. Not 2y, y^2 or xy."""
_RELATIONS = re.compile(r"\\(?:le|ge|ne|approx|in|equiv|sim|lt|gt)(?![a-zA-Z])|:=|(?<![<>!])=|<|>")
_EQUAL, _ABOUT = ("=", ":="), ("\\approx", "\\sim")
_LESS = ("<", "\\lt", "\\le")
_FLIPPED = {"<": ">", ">": "<", "\\lt": ">", "\\gt": "<", "\\le": "\\ge", "\\ge": "\\le"}
_WEAK = ("\\le", "\\ge")
_KINDS: dict[tuple[bool, bool], Kind] = {
    (False, False): "()",
    (True, False): "[)",
    (False, True): "(]",
    (True, True): "[]",
}
"""By whether each end belongs to the interval."""


def relation(text: str, inner: Inner) -> Form | None:
    """Anything with an equals sign, an inequality or a membership outside of brackets."""
    parts = brackets.split(text, _RELATIONS)
    sides, signs = parts[::2], parts[1::2]
    if not signs or not all(sides):
        return None
    if set(signs) <= {*_EQUAL, *_ABOUT}:
        return _equation(text, sides, signs, inner)
    if signs == ["\\in"] and _NAME.fullmatch(sides[0]):
        return Named(compact(sides[0]), inner(sides[1]), text)
    found = _inequality(sides, signs, inner, text) if set(signs) <= set(_FLIPPED) else None
    return found or Relation(text, is_equation=False)


def _equation(text: str, sides: list[str], signs: list[str], inner: Inner) -> Form:
    """A named value, the last one said exactly; or a chain of equal numbers; or an equation."""
    exact = [side for side, sign in zip(sides[1:], signs, strict=True) if sign in _EQUAL] or sides[1:2]
    if _NAME.fullmatch(sides[0]):
        said = exact[-2] if exact[-1].endswith("...") and len(exact) > 1 else exact[-1]
        return Named(compact(sides[0]), inner(said), text)
    if len(sides) == 2 and re.fullmatch(_LETTER, sides[1]):
        return Named(compact(sides[1]), inner(sides[0]), text)
    forms = [inner(sides[0])] if signs[0] in _ABOUT else [inner(side) for side in (sides[0], *exact)]
    values = [form.magnitude if isinstance(form, Quantity) else form for form in forms]
    numbers = [form for form in values if isinstance(form, Number)]
    if len(numbers) == len(forms):
        agree = all(abs(number.value - numbers[0].value) <= (number.step or 0) for number in numbers)
        total = forms[-1] if isinstance(forms[-1], Quantity) else forms[0]
        return total if agree else Relation(text, is_equation=True)
    return Relation(text, is_equation=True) if any(map(has_variables, sides)) else forms[0]


def _inequality(sides: list[str], signs: list[str], inner: Inner, text: str) -> Form | None:
    r"""``x > 2`` and ``1 < x \le 2`` as the interval that they say."""
    if len(sides) == 2 and not re.fullmatch(_LETTER, sides[0]):
        sides, signs = sides[::-1], [_FLIPPED[signs[0]]]
    if len({sign in _LESS for sign in signs}) > 1:
        return None
    if signs[0] not in _LESS and len(sides) == 3:
        sides, signs = sides[::-1], [_FLIPPED[sign] for sign in signs[::-1]]
    weak = [sign in _WEAK for sign in signs]
    if len(sides) == 3 and _NAME.fullmatch(sides[1]):
        return Named(compact(sides[1]), _interval(sides[0], sides[2], weak[0], weak[1], inner), text)
    name, bound = sides[0], sides[1]
    if len(sides) != 2 or not re.fullmatch(_LETTER, name) or name in re.findall(r"[A-Za-z]+", bound):
        return None
    if signs[0] in _LESS:
        return Named(compact(name), _interval("-\\infty", bound, False, weak[0], inner), text)
    return Named(compact(name), _interval(bound, "\\infty", weak[0], False, inner), text)


def _interval(low: str, high: str, from_low: bool, to_high: bool, inner: Inner) -> Form:
    closed = (from_low and "infty" not in low, to_high and "infty" not in high)
    kind = _KINDS[closed]
    return Group(kind, (inner(low), inner(high)), f"{kind[0]}{low},{high}{kind[1]}")
