"""The units that Qwen2.5-Math removes, and other words that its authors met behind the numbers of data sets.

Source: QwenLM/Qwen2.5-Math, evaluation/parser.py (the words of ``unit_texts``, mainly from MathQA, in their order).
"""

import re

# A full stop is any character, as there, where each word is a pattern.
_WORDS = """
east,degree,mph,kmph,ft,m sqaure, m east,sq m,deg,mile,q .,monkey,prime,ratio,profit of rs,rd,o,gm,p . m,lb,tile,per,
dm,lt,gain,ab,way,west,a .,b .,c .,d .,e .,f .,g .,h .,t,a,h,no change,men,soldier,pie,bc,excess,st,inches,noon,
percent,by,gal,kmh,c,acre,rise,a . m,th,π r 2,sq,mark,l,toy,coin,sq . m,gallon,° f,profit,minw,yr,women,feet,am,pm,hr,
cu cm,square,v â € ™,are,rupee,rounds,cubic,cc,mtr,s,ohm,number,kmph,day,hour,minute,min,second,man,woman,sec,cube,mt,
sq inch,mp,∏ cm ³,hectare,more,sec,unit,cu . m,cm 2,rs .,rs,kg,g,month,km,m,cm,mm,apple,liter,loss,yard,pure,year,
increase,decrease,d,less,Surface,litre,pi sq m,s .,metre,meter,inch
"""
_SINGULARS = [word.strip("\n") for word in _WORDS.split(",")]
# Each with what it begins with, to see at little cost that it is not in a text.
_PATTERNS = [
    (word.partition(".")[0], re.compile(rf"(^|\W){word}($|\W)"))
    for word in (*_SINGULARS, *(f"{word}s" for word in _SINGULARS))
]


def without_units(text: str) -> str:
    """The text without the words that stand alone in it, in two rounds; a text that is but one word keeps it."""
    for _ in range(2):
        for beginning, pattern in _PATTERNS:
            if beginning in text:
                text = pattern.sub(r"\1\2", text) or text
    return text
