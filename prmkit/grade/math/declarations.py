r"""The answer that a sentence or a heading of a solution declares: ``The answer is **5**.``, ``Answer: 5``.

Every pattern is bounded, and what is searched for a value ends where the next declaration begins, so that the time is
linear in the text.
"""

import re
from collections import deque

from prmkit.grade.math.values import value

_MARKS = r"[*_`'\"“”‘’{}\])]{0,6}+"
_DECLARATION = re.compile(
    rf"""
    (?: (?<![A-Za-z]) (?: (?:answers?|ans\.?) (?:[ ](?:choice|option|key))?
                        | (?:correct|right|best)[ ](?:option|choice)
                      ) (?![A-Za-z])
        (?:</[a-z]{{1,8}}>)? {_MARKS} [ \t]{{0,4}}+
        (?: (?: \( [^()\n]{{0,40}} \)
              | (?:to|for|of|in|we|I|that)\b (?: [ ] [^\s.:：=]{{1,20}} ){{0,8}}? (?=[ *:：=])
              | , [^\n.,:]{{1,30}}, )
            {_MARKS} [ \t]{{0,4}}+ )?
        (?: [:：=→⇒–—] | -[ ] | (?:is|are|was|were|equals|becomes) \b
          | (?:would|should|must|will|can) (?:[ ]\w{{3,9}})? [ ]be\b
          | (?<=['’]) s \b | (?:comes|works|turns|evaluates|simplifies) [ ] (?:out[ ])? to (?:[ ]be)? \b
          | of [ ] (?=[$\\\d*(-]) )
      # A heading: the line holds nothing else; or what follows the word in bold.
      | ^ (?!\n) [^A-Za-z0-9\n]{{0,12}}+ (?:(?:sub)?section\*?\{{ | (?:step[ ])?\d{{1,2}}[.):][ *]{{1,4}})?
        (?:the[ ]|my[ ])? (?:final[ ]|correct[ ])? answers? (?: [^A-Za-z0-9\n]{{0,12}} $ | [*_]{{2,4}} [ \t] )
      | (?:最终|最后)?答案 [*_]{{0,4}} (?:[:：=]|是|为)
    )
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_REVERSED = re.compile(
    r"""
    (?: [ ]is[ ](?:the|our|my|your)[ ](?:(?:final|correct|right|required|desired|best)[ ])?(?:answer|option|choice)
      | (?: (?<=\([A-J]\)) | (?<=(?:option|choice)[ ][A-J]) ) [ ]is[ ]correct
    ) (?![A-Za-z])
    """,
    re.VERBOSE | re.IGNORECASE,
)
# What stands before the value in such a sentence.
_CONNECTED = re.compile(r".*(?:[.\n!?;,:]\s|\b(?:hence|so|thus|therefore|that|get|have)\s)", re.IGNORECASE | re.DOTALL)
_MOST_CANDIDATES = 100
_LONGEST_BEFORE = 80
"""Characters in which a value is looked for before a declaration."""


def declared(text: str) -> str | None:
    """The value of the last declaration that has one."""
    end = len(text)
    for declaration in last_ones(_DECLARATION, text):
        found = value(text[declaration.end() : end])
        if found is not None:
            return found
        end = declaration.start()
    return None


def last_ones(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    """The last places of a text where a pattern matches, the last first; of very many only some."""
    return list(reversed(deque(pattern.finditer(text), maxlen=_MOST_CANDIDATES)))


def declares(text: str) -> bool:
    """Whether a text declares an answer."""
    return _DECLARATION.search(text) is not None


def declared_behind(text: str) -> str | None:
    """The quantity of the last sentence that says it ``is the answer``."""
    for sentence in last_ones(_REVERSED, text):
        before = text[max(0, sentence.start() - _LONGEST_BEFORE) : sentence.start()]
        found = value(_CONNECTED.sub("", before, count=1), in_words=False)
        if found is not None:
            return found
    return None
