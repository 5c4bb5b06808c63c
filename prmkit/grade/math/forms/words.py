"""Words, choices and letters; and where a text holds words of a language rather than variables."""

import re
from fractions import Fraction

from prmkit.grade.math.forms import Choice, Expression, Form, Inner, Number, Text

GREEK = r"\\(?:alpha|beta|gamma|delta|epsilon|theta|lambda|mu|rho|sigma|tau|phi|chi|psi|omega|Delta|Omega|Phi|Sigma)"
"""Greek letters that stand for numbers; pi is a number."""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FUNCTIONS = _set(
    """sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp max min gcd lcm mod det dim deg lim inf
    sup sqrt pi"""
)
_SHORT_WORDS = _set("yes no odd all none any one two six ten red up down left east west tie both day")
"""Words of up to four letters that are no product of variables."""
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
_NO_WORDS = re.compile(r"\\begin\{[a-z]+\}|\\end\{[a-z]+\}|_\{[^{}]*\}|\\mathbb\{[A-Z]\}")
_NAME = re.compile(r"[A-Z][a-z]+|[A-Z]{2,}")
_SUM = re.compile(r"[+^=]|(?<=\S)\s*-")
"""What makes two letters beside it a product: AB + BC."""

_CHOICE = re.compile(
    r"(?:\(\s*([A-Ja-e])\s*\)|([A-Ja-e])\s*\)|([A-J])\.(?=\s|$)|([A-J])\s*:(?=\s|$)|([A-Z])$)[.:,]?(\s*)(.*)",
    re.DOTALL,
)
"""(C) 12, C) 12, C. 12, C: 12, C."""
_NAMED_CHOICE = re.compile(
    r"(?:the\s+)?(?:correct\s+)?(?:answer\s+)?(?:(?:option|choice)(?:\s+is)?|answer\s+is|answer:)\s*:?\s*"
    r"\(?([A-Ja-j])(?![a-z])\)?[.:,]?(.*)",
    re.IGNORECASE | re.DOTALL,
)
"""Option C, the correct answer is (C) 12."""
_OPERATOR = re.compile(r"[*/^_=<>|!)\]]|\\(?:cup|cap|cdot|in|le|ge|to|ne|setminus|pm)(?![a-z])")

_CONSTANTS: dict[str, Form] = {
    "all real numbers": Expression(r"\mathbb{R}"),
    "all reals": Expression(r"\mathbb{R}"),
    "empty set": Expression(r"\emptyset"),
    "the empty set": Expression(r"\emptyset"),
    "infinity": Expression(r"\infty"),
    "-infinity": Expression(r"-\infty"),
    "dne": Text("does not exist"),
}
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBERS = {
    **{word: value for value, word in enumerate(_ONES)},
    **{word: 10 * tens for tens, word in enumerate(_TENS, 2)},
    **{f"{word} {_ONES[one]}": 10 * tens + one for tens, word in enumerate(_TENS, 2) for one in range(1, 10)},
}


def constant(text: str, inner: Inner) -> Form | None:
    """What mathematics has a sign for, and the numbers below a hundred."""
    word = text.lower()
    number = _NUMBERS.get(word.replace("-", " "))
    return _CONSTANTS.get(word) if number is None else Number(Fraction(number))


def choice(text: str, inner: Inner) -> Form | None:
    """A letter, with the text of the choice or without."""
    if named := _NAMED_CHOICE.fullmatch(text):
        said = named[2].strip()
        return Choice(named[1].upper(), inner(said) if said else None)
    found = _CHOICE.fullmatch(text)
    if found is None:
        return None
    letter, space, said = next(filter(None, found.groups()[:5])), found[6], found[7].strip()
    if said and (_OPERATOR.match(said) or (not space and said[0] in "+-(['") or (letter.islower() and found[1])):
        return None  # (A)(B), (A) = ..., (a) 2: a factor or a set
    return Choice(letter.upper(), inner(said) if said else None)


def words_or_expression(text: str) -> Form:
    """What no rule takes."""
    return Text(text) if has_words(text) else Expression(text)


def has_variables(text: str) -> bool:
    """Whether it holds a letter that stands for a number."""
    bare = _COMMAND.sub(" ", re.sub(r"\d[eE][+-]?\d", "", text))
    words = {word for word in _WORD.findall(bare) if word not in _FUNCTIONS}
    return bool(words - {"e", "i"}) or re.search(GREEK, text) is not None


def has_words(text: str) -> bool:
    """Whether it holds words of a language, or names, rather than letters that stand for numbers."""
    words = _WORD.findall(_COMMAND.sub(" ", _NO_WORDS.sub(" ", text)))
    shortest_name = 3 if _SUM.search(text) else 2
    return any(
        word not in _FUNCTIONS
        and (
            len(word) > 3
            or word.lower() in _SHORT_WORDS
            or (len(word) >= shortest_name and _NAME.fullmatch(word) is not None)
        )
        for word in words
    )
