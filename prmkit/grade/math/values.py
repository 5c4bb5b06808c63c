"""The answer that stands behind a declaration, without the marks, words and remarks around it."""

import re
import unicodedata

from prmkit.grade.math.boxes import is_placeholder

# Words that may stand between the declaration and its value.
_BEFORE = (
    r"either|both|approximately|approx\.?|about|roughly|around|equal to|exactly|simply|just|only|therefore|thus|hence|"
    r"then|indeed|clearly|now|also|given by|given below|as follows|found to be|option|choice|"
    r"the (?:number|value|integer|fraction|expression|option|choice|letter)|that there (?:is|are)|是|为"
)
_LEAD = re.compile(
    rf"""
    (?: \n[ \t]*(?:>|[-•][ ]) | -{{3,}}\n | ```[a-z]{{1,9}}\n | </?[a-z]{{1,8}}> | [\s:：=≈→⇒*_`'"“”‘’}}~]
      | (?:{_BEFORE.replace(" ", "[ ]")}) (?![A-Za-z])
    ){{0,40}}
    """,
    re.VERBOSE | re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"""
    [(\[{|]* [-+±−]? \s? (?: [$€£¥₹]? \s? \.?\d | [$\\√π∞∅] )
    | [A-Za-z] (?= \s* (?: $ | [^\sA-Za-z'] ) ) | [A-Z] (?= \s+ (?:because|since|as|which|is) \b ) | [B-HJ-Z] \b
    | [(\[]
    """,
    re.VERBOSE,
)
# The end of a sentence; not the full stop of "3.5", "5 sq. ft.", "5 ft. 3 in." or "3 p.m. today".
_CLOSED = r"[*_`'\"”’)]*"
_END = re.compile(
    rf"""
    (?: (?<![a-z]) \. | [。!?] ) (?= {_CLOSED} (?: $ | \s (?!\s*[a-z]) ) )
    | (?<=[a-z]) \. (?= {_CLOSED} (?: $ | \s (?!\s*[a-z\d]) ) )
    | (?<=[\d$)\]}}*`]) [.!] (?= \s | [A-Z][a-z] )
    | 。 | \n
    """,
    re.VERBOSE,
)
_REASON = re.compile(r",\s+as\b|,?\s+(?:because|since)\b")
# What goes on behind a quantity without belonging to it.
_AFTERTHOUGHT = re.compile(
    r"""
    [,;] \s+ (?!and\b|or\b) ["“]? [a-z]{2,}
    | , \s* (?: " | i\.e\. ) | \s+ (?: ≈ | \\approx ) \s
    | [,;]? \s+ [([]? (?: because | since | which | as | so | when | where | if | for | after | by | from | that | while
        | with | giving | meaning | thus | hence | therefore | see | rounded | approx(?:imately)? | is | are | on | of
        | at | out | such | in (?= [ ] (?!base) [a-z]) | to (?= [ ] [a-z])
        | and (?= [ ] (?: we | the | this | it | that | hence | so | thus | is | not | you ) \b )
        | and (?= [ ] [a-z]{3,} [a-z\ ]* $ ) ) (?![A-Za-z])
    | \s+ (?: I[ ](?:hope|think|believe|am) | We | Let | This | Please | Hope | Thanks? | Thus | Hence | So ) \b
    | \s+ [–—] \s
    """,
    re.VERBOSE,
)
# Words with which no answer begins.
_PROSE = re.compile(
    r"(?:not(?! (?:possible|defined|enough))|because|in|inside|within|correct|right|wrong|incorrect|as|found|obtained|"
    r"expected|supposed|required|what|whether|clear|obvious|ready|below|above|here|there|this|that|it|its|let|we|i|so|"
    r"first|since|to|of|the (?:same|following|answer))(?![A-Za-z])",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"(?:\b(?:is|are|was|equals|get|gets|have|has|be)\b|=)(?=\s*[*$\\\d(-])(?!.*\b(?:is|are|was|equals)\b)"
)
_STEPS = re.compile(r"1[.)]\s[^\n]*\n\s*2[.)]\s")  # a list of them, of which the first number is no answer
_FORMULA = re.compile(r"(?<!\\)\$((?:\\.|[^$\\])*)\$", re.DOTALL)
_INCHES = re.compile(r"'\s?\d{1,2}(?:\.\d+)?\"\W*$")
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_LONGEST, _LONGEST_PROSE = 1000, 80
"""Characters: no answer is longer, and none in words."""


def value(text: str, *, in_words: bool = True) -> str | None:
    """The answer that a text begins with, without what is around it; None where it begins with none.

    Args:
        text: what stands behind a declaration.
        in_words: whether words may be the answer; else only a formula, a number, a quantity or the letter of a choice.
    """
    lead = _LEAD.match(text)
    start = lead.end() if lead else 0
    text = text[start : start + _LONGEST]
    for opening, closing in (("$$", "$$"), (r"\[", r"\]")):
        if text.startswith(opening):
            inside, closed, _ = text[2:].partition(closing)
            return _accepted(inside.strip().rstrip(".,").strip()) if closed else None
    if _STEPS.match(text):
        return None
    if not _QUANTITY.match(text):
        return _in_words(text) if in_words else None
    formula = _formula_end(text)
    return None if formula is None else _accepted(_cleaned(_phrase(text, formula, _END, _AFTERTHOUGHT)))


def _formula_end(text: str) -> int | None:
    """Where the formula ends that a text begins with; 0 where it begins with none, None where it is cut."""
    environment = re.match(r"[$\\( ]{0,4}\\begin(\{\w{1,20}\*?\})", text)
    closing = f"\\end{environment[1]}" if environment else r"\)" if text.startswith(r"\(") else None
    if closing is not None:
        end = text.find(closing)
        return end if end >= 0 else None
    formula = _FORMULA.match(text)  # $5 is an amount of money
    return formula.end() if formula else 0


def _phrase(text: str, start: int, *ends: re.Pattern[str]) -> str:
    """The text up to the first of its ends; none of them is looked for before ``start``."""
    for pattern in ends:
        end = pattern.search(text, start)
        text = text[: end.start()] if end else text
    return text


def _in_words(text: str) -> str | None:
    """An answer in words; of a sentence that stands alone, what it sets in bold, or says that something is."""
    sentence = _phrase(text, 0, _END, _REASON)
    behind = text[len(sentence) :].lstrip(" .。!*_`")
    if not behind or re.match(r"\n\s*(?:\n|$)", behind):
        bold = _BOLD.findall(sentence)
        if len(bold) == 1:
            return _accepted(_cleaned(bold[0]))
        stated = _STATED.search(sentence)
        if stated:
            return value(sentence[stated.end() :])
    if len(sentence) > _LONGEST_PROSE or _PROSE.match(sentence):
        return None
    return _accepted(_cleaned(sentence))


def _cleaned(text: str) -> str:
    """Without marks of emphasis and code, closing signs and emoji."""
    text = re.sub(r"(\*\*|__|`|\$|\\\))[!.。]+\s*$", r"\1", text)
    text = re.sub(r"(?<![\w)\]}])(?:\*\*|__|`)(?=\S)|(?<=\S)(?:\*\*|__|`)(?![\w(\[{\\])", "", text)
    text = re.sub(r"</?[a-z]{1,8}>$", "", _without_symbols(text))
    for opening, closing in (("{", "}"), (r"\(", r"\)"), (r"\[", r"\]")):
        if text.endswith(closing) and text.count(closing) > text.count(opening):
            text = text.removesuffix(closing).rstrip()
    text = text.rstrip(" .…。,;:*_`#”" + ("" if _INCHES.search(text) else '"'))
    if re.search(r"\d [AaPp]\.[Mm]$", text):
        text += "."
    if text.endswith("$") and _dollars(text) % 2:
        text = text[:-1].rstrip()
    return _one_formula(text)


def _one_formula(text: str) -> str:
    """Formulas among words as one formula: ``$3$ or $4$`` is ``3 or 4``."""
    if _FORMULA.fullmatch(text) or _dollars(text) == 1 or re.fullmatch(r"\\\((?:(?!\\\().)*\\\)", text, re.DOTALL):
        return text
    return _FORMULA.sub(r"\1", re.sub(r"\\\(\s?|\s?\\\)", "", text))


def _dollars(text: str) -> int:
    return text.count("$") - text.count(r"\$")


def _without_symbols(text: str) -> str:
    end = len(text)
    while end and (text[end - 1] in " \t\r\ufe0f\u200d∎" or _is_emoji(text[end - 1])):
        end -= 1
    return text[:end]


def _is_emoji(letter: str) -> bool:
    return unicodedata.category(letter) == "So" and letter not in "°℃℉"


def _accepted(text: str) -> str | None:
    """A text that can be an answer: not blank, no placeholder, no box that is cut, no brace or dollar left open."""
    if is_placeholder(text) or "boxed" in text or _opened(text) > 0:
        return None
    if _dollars(text) % 2 and not re.match(r"\$\s?[\d.]", text):  # an amount of money
        return None
    return text if any(letter.isalnum() or letter in "\\∅∞√π" for letter in text) else None


def _opened(text: str) -> int:
    bare = text.replace(r"\{", "").replace(r"\}", "")
    return bare.count("{") - bare.count("}")
