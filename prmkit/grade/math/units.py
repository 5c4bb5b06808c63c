r"""What quantities are counted in: a table of units, their words, abbreviations and symbols.

Units of one dimension are converted (2 km are 2000 m). Any other word counts things of its own kind: 5 apples are not
5 oranges. Degrees and radians are not converted, for no ratio of integers does it; nor are currencies.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod

_TABLE = """
length 1 m meter metre 米
length 1/1000 mm millimeter millimetre 毫米
length 1/100 cm centimeter centimetre 厘米
length 1/10 dm decimeter decimetre
length 1000 km kilometer kilometre 千米 公里
length 127/5000 in inch inches "
length 381/1250 ft foot feet '
length 1143/1250 yd yard
length 201168/125 mi mile
length 1852 nautical-mile
length 1/1000000 μm um micrometer micrometre micron
length 1/1000000000 nm nanometer nanometre
length^2 316160658/78125 acre
length^2 10000 ha hectare
length^3 1/1000 L l liter litre 升
length^3 1/1000000 mL ml milliliter millilitre cc 毫升
length^3 473176473/125000000000 gal gallon
length^3 473176473/500000000000 qt quart
length^3 473176473/1000000000000 pt pint
length^3 473176473/2000000000000 cup
length/time 1397/3125 mph
length/time 5/18 kph kmh kmph
mass 1 g gm gram gramme 克
mass 1/1000 mg milligram
mass 1000 kg kilogram kilo 千克 公斤
mass 1000000 tonne metric-ton 吨
mass 45359237/100000 lb pound
mass 45359237/1600000 oz ounce
mass 45359237/50 ton
time 1 s sec second 秒
time 1/1000 ms millisecond
time 60 min minute 分钟
time 3600 h hr hour 小时
time 86400 day 天
time 604800 wk week
month 1 mo month
month 12 yr year
month 120 decade
month 1200 century
dollar 1 $ dollar usd us$ us-dollar buck
dollar 1/100 ¢ cent
pound-sterling 1 £ gbp quid
pound-sterling 1/100 p pence penny
euro 1 € eur euro
yuan 1/10 角
yuan 1 元 yuan rmb cny
yen 1 ¥ yen jpy 円
rupee 1 ₹ rs rupee inr
won 1 ₩ won krw
degree 1 ° deg degree 度
degree 1/60 arcminute
degree 1/3600 arcsecond
radian 1 rad radian
celsius 1 °c celsius degree-celsius degrees-celsius degree-c degrees-c
fahrenheit 1 °f fahrenheit degree-fahrenheit degrees-fahrenheit degree-f degrees-f
kelvin 1 K kelvin
percent 1 % percent pct percentage
force 1 N newton
energy 1 J joule
energy 1000 kJ kilojoule
energy 3600000 kWh kilowatt-hour
power 1 W watt
power 1000 kW kilowatt
voltage 1 V volt
current 1 A amp ampere
resistance 1 Ω ohm
frequency 1 Hz hertz
pressure 1 Pa pascal
data 1 byte
data 1/8 bit
person 1 person people
child 1 child children
man 1 man men
woman 1 woman women
"""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_CURRENCIES = _set("$ £ € ¥ ₹ ₩ us$ usd gbp eur rs inr")
_NONE = _set("unit 个 only")
"""Words that name no unit: 12 square units are 12."""
_SPACED = _set("in mi nm mo pt um ms ha wk yd cc")
"""Like single letters, they name variables where no space stands before them."""
_NO_UNIT = _set("and or mod sin cos tan cot sec csc log ln exp lim max min gcd lcm det such where if pi x by")
_POWERS = {"square": 2, "sq": 2, "squared": 2, "平方": 2, "cubic": 3, "cu": 3, "cubed": 3, "立方": 3}
_MULTIPLES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")
_PER = re.compile(r"\s*(/|\bper\b|\ban?\b(?=\s+[A-Za-z]))\s*")
_TIMES = re.compile(r"\s*(?:\\cdot\s|(?<=[a-z])-(?=[a-z])|(?<=[a-z])\s+(?=[A-Za-z]{1,3}\s*\^\s*\{?\s*-))\s*")
_FRACTION = re.compile(r"\\frac\s*\{\s*([A-Za-z ]+?)\s*\}\s*\{\s*([A-Za-z ^{}\d]+?)\s*\}")
_ASIDE = re.compile(
    r"(?<=\w)\s+(?:of|in|for|from|to|at|on|with|by|left|total|altogether|each|more|remaining|long|tall|wide|old|ago)\b.*"
)
_EXPONENT = re.compile(r"\s*(?:\^\s*\{?\s*|(?<=[a-z]))(-?[1-9])\s*\}?$")


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number is of.

    Attributes:
        dimension: pairs of a base and its power, sorted; a word of no table is a base of its own. Empty for a unit
            that says nothing (square units).
        factor: how many of the dimension's own units one is.
        multiple: what a word such as dozen, million or percent multiplies the number by.
    """

    dimension: tuple[tuple[str, int], ...]
    factor: Fraction = Fraction(1)
    multiple: Fraction = Fraction(1)

    def times(self, other: "Unit", power: int = 1) -> "Unit":
        """The product with a power of another unit."""
        powers = dict(self.dimension)
        for base, exponent in other.dimension:
            powers[base] = powers.get(base, 0) + power * exponent
        kept = tuple(sorted((base, exponent) for base, exponent in powers.items() if exponent))
        return Unit(kept, self.factor * other.factor**power, self.multiple * other.multiple**power)


@cache
def _table() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        dimension, factor, *words = line.split()
        base, _, divisor = dimension.partition("/")
        base, _, power = base.partition("^")
        pairs = ((base, int(power or 1)), *([(divisor, -1)] if divisor else []))
        multiple = Fraction(1, 100) if base == "percent" else Fraction(1)
        units |= {word.replace("-", " "): Unit(pairs, Fraction(factor), multiple) for word in words}
    return units


def one_name(one: Unit, other: Unit) -> bool:
    """Whether one word may mean both: 5 pounds may be £5."""
    return {one, other} == {_table()["pound"], _table()["£"]}


def currency(word: str) -> Unit | None:
    """The currency of a sign or code that stands before a number."""
    return _table()[word.lower()] if word.lower() in _CURRENCIES else None


def unit(text: str, *, spaced: bool = True) -> Unit | None:
    r"""The unit that a text says: ``cm^{2}``, ``square feet``, ``miles per hour``; None if it is none.

    Args:
        text: what stands behind a number, in the spelling of notation.py.
        spaced: whether there is a space between; without one, ``m`` and ``in`` are variables, ``cm`` is a unit.
    """
    text = _ASIDE.sub("", _FRACTION.sub(r"\1/\2", text).strip(" .,"))
    whole, power = Unit(()), 1
    counted, *divisors = _PER.split(text)[::2]
    if not all(divisors) or not (counted or divisors):
        return None
    for part in (counted, *divisors):
        for factor in filter(None, _TIMES.split(part)):
            one = _factor(factor, spaced=spaced or power < 0)
            if one is None:
                return None
            whole = whole.times(one, power)
        power = -1
    return whole


def _factor(text: str, *, spaced: bool) -> Unit | None:
    """Words, the last of which counts, and a power: cubic feet, children's tickets, m^2."""
    power = 1
    if exponent := _EXPONENT.search(text):
        power, text = int(exponent[1]), text[: exponent.start()]
    words = re.sub("(平方|立方)", r"\1 ", text.replace(".", " ").strip(" ()")).split()
    power *= max((_POWERS.get(word.lower(), 1) for word in words), default=1)
    multiple = Fraction(prod(_MULTIPLES.get(singular(word.lower()), 1) for word in words))
    multiples = Unit((), multiple, multiple)
    words = [word for word in words if word.lower() not in _POWERS and singular(word.lower()) not in _MULTIPLES]
    if not words:
        return multiples if multiple != 1 else Unit(()) if power != 1 else None
    if len(words) > 1 and any(word.lower() in _NO_UNIT for word in words):
        return None
    if len(words) == 1 and not spaced and _is_variable(words[0]):
        return None
    known = _known(" ".join(words)) or _known(words[-1]) or _things(words[-1], spaced=spaced)
    return multiples.times(known, power) if known is not None else None


def _is_variable(word: str) -> bool:
    """Whether it names a variable where no space stands before it."""
    return word in _SPACED or (len(word) == 1 and word.isascii() and word.isalpha())


def _things(word: str, *, spaced: bool) -> Unit | None:
    """What a word that is in no table counts: things of its own kind, or nothing that has a name."""
    thing = singular(word.lower())
    if thing in _NONE:
        return Unit(())
    named = _CHINESE.fullmatch(word) or (spaced and re.fullmatch(r"[A-Za-z][A-Za-z'-]{2,}", word))
    return Unit(((thing, 1),)) if named and word.lower() not in _NO_UNIT else None


def _known(word: str) -> Unit | None:
    """The unit of the table under that word, whatever its case and number; single letters as they stand."""
    forms = (word,) if len(word) == 1 else (word, word.lower(), singular(word.lower()))
    return next((_table()[form] for form in forms if form in _table()), None)


def singular(word: str) -> str:
    """The singular of an English noun, near enough to compare two."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(?:sh|ch|x|ss|z)es$", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 2 else word
