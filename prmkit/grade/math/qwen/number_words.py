"""Numbers in English words, read as the word2number package reads them: any words may stand between.

Source: akshaynagpal/w2n (PyPI word2number 1.1), which Qwen2.5-Math calls.
"""

from collections.abc import Sequence

_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = {"billion": 10**9, "million": 10**6, "thousand": 1000}
_VALUES = {word: value for value, word in enumerate(_ONES + _TEENS)} | {
    word: 10 * ten for ten, word in enumerate(_TENS, 2)
}
_VALUES |= {"hundred": 100} | _SCALES


def number(text: str) -> str | None:
    """The number that the words of a text make, or that its digits are; None if there is none."""
    text = text.replace("-", " ").lower()
    if text.isdecimal():
        return str(int(text))
    words = [word for word in text.split() if word in _VALUES or word == "point"]
    if not words or any(words.count(word) > 1 for word in ("point", *_SCALES)):
        return None
    whole, decimals = words, []
    if "point" in words:
        at = words.index("point")
        whole, decimals = words[:at], words[at + 1 :]
    value = _whole(whole)
    if value is None:
        return None
    return str(value + _decimal(decimals)) if decimals else str(value)


def _whole(words: Sequence[str]) -> int | None:
    if len(words) <= 1:
        return sum(_VALUES[word] for word in words)
    places = [words.index(scale) for scale in _SCALES if scale in words]
    if places != sorted(places):
        return None
    starts = [0, *(place + 1 for place in places)]
    groups = [words[start:place] for start, place in zip(starts, places, strict=False)]
    if not all(groups):
        return None
    total = sum(_group(group) * _VALUES[words[place]] for group, place in zip(groups, places, strict=True))
    # As there: what follows a scale that ends the number is what follows the scale before it, and counts once more.
    rest = next((words[start:] for start in reversed(starts) if start < len(words) and (start or not places)), ())
    return total + (_group(rest) if rest else 0)


def _group(words: Sequence[str]) -> int:
    """A number below 1,000 in up to four words, such as two hundred twenty three; of more, the first."""
    values = [_VALUES[word] for word in words]
    match values:
        case [a, b]:
            return a * b if 100 in values else a + b
        case [a, b, c]:
            return a * b + c
        case [a, b, c, d]:
            return a * b + c + d
    return values[0]


def _decimal(words: Sequence[str]) -> float:
    if not all(word in _ONES for word in words):
        return 0
    return float("0." + "".join(str(_VALUES[word]) for word in words))
