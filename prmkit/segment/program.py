"""Python as far as it is written: its lines, and whether a text is a program at all."""

import keyword
import re
from collections.abc import Iterator
from itertools import pairwise

from prmkit.segment.separator import separated

_TOKEN = re.compile(
    r"""
      \#[^\n]*+
    | (?P<triple>\"{3}|'{3})
    | "(?:\\.|[^"\\\n])*+"? | '(?:\\.|[^'\\\n])*+'?     # without a closing quote, to the end of the line
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | \\\r?\n
    | (?P<line>\n)
    """,
    re.VERBOSE | re.DOTALL,
)
_TO_CLOSING = {
    '"""': re.compile(r'(?:[^\\"]|\\.|"(?!""))*+"""', re.DOTALL),
    "'''": re.compile(r"(?:[^\\']|\\.|'(?!''))*+'''", re.DOTALL),
}

_HEAD = 1_000
"""So many characters are enough to tell a program from prose: whoever asks shall not have to wait for more."""

_STRING = re.compile(r"""[bfruBFRU]{0,2}(?:"(?:\\.|[^"\\])*+"|'(?:\\.|[^'\\])*+')""")
_FOREIGN = re.compile(r"""[$?`\\"']|[^\x00-\x7f]|\b[1-9]\d*+(?:[A-Za-z]{2}|[a-df-ik-zA-DF-IK-Z])""")
_WORD_OR_SIGN = re.compile(r"\w+|[^\w\s]")
_KEYWORDS = {*keyword.kwlist, "match"}
_NAME = r"\*?[A-Za-z_][\w.]*(?:\[[^\]]*\])*"
_STATEMENT = re.compile(
    rf"""
      (?:assert|await|break|continue|del|from|global|import|nonlocal|pass|raise|return|yield)\b
    | (?:async|class|def|for|if|match|try|while|with)\b.*[(\[{{:]
    | [(\[]?{_NAME}(?:\s*,\s*{_NAME})*,?[)\]]?\s*(?:[-+*/%&|^@]|//|\*\*|<<|>>)?=(?!=)
    | [a-z_][\w.]*\s*:\s*[\w.]+(?:\[[^=]*\])?\s*=(?!=)
    | [A-Za-z_][\w.]*\((?!.*\)\s*=(?!=))
    | \(\)$                                           # nothing but a string
    """,
    re.VERBOSE,
)
_PROSE_BEGINNING = re.compile(r"[A-Z][a-z]+\s*[,:]")


def line_starts(text: str, begin: int, end: int) -> Iterator[tuple[int, bool]]:
    """Where the lines of a program begin, and whether an open bracket or string makes it go on there.

    A line that a backslash goes on with is left out.
    """
    depth, at = 0, begin
    yield begin, False
    while token := _TOKEN.search(text, at, end):
        at = token.end()
        if token.lastgroup == "line":
            yield at, depth > 0
        elif token.lastgroup == "open":
            depth += 1
        elif token.lastgroup == "close":
            depth = max(0, depth - 1)
        elif token.lastgroup == "triple":
            closing = _TO_CLOSING[token["triple"]].match(text, at, end)
            inner, at = at, end if closing is None else closing.end()
            while (inner := text.find("\n", inner, at) + 1) > 0:
                yield inner, True


def is_program(text: str, step_end: str) -> bool | None:
    """Whether a text begins as a program and not as prose; None where too little is written to tell.

    The first line that is not blank decides; it is whole with its line break or with a ``step_end``. A comment begins a
    program. So does a heading of Markdown, which looks the same, and stays with what stands below it.
    """
    head = text[:_HEAD]
    begin = len(head) - len(head.lstrip())
    ends = [head.find("\n", begin), next(separated(head, step_end), -1) - len(step_end)]
    end = min((each for each in ends if each >= 0), default=None)
    if end is None and len(text) < _HEAD:
        return None
    first = head[begin:end]
    return first.startswith("#") or is_statement(first)


def is_statement(line: str) -> bool:
    """Whether a line looks like the beginning of a statement of Python rather than like a line of prose.

    Prose has words side by side, or signs that Python has not; and a statement assigns, calls or begins with a keyword.
    """
    if line.startswith(('"""', "'''")) or re.match(r"@[A-Za-z_]", line):
        return True
    one_line = re.split("\"{3}|'{3}", line.rstrip().removesuffix("\\"))[0]
    bare = _STRING.sub("()", one_line).partition("#")[0]
    if _FOREIGN.search(bare) or _PROSE_BEGINNING.match(bare):
        return False
    if any(_is_word(a) and _is_word(b) for a, b in pairwise(_WORD_OR_SIGN.findall(bare))):
        return False
    return _STATEMENT.match(bare.strip()) is not None


def _is_word(token: str) -> bool:
    return (token[0].isalnum() or token[0] == "_") and token not in _KEYWORDS
