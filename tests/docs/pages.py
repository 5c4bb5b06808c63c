"""The pages of the documentation as the tests read them: their blocks of code, and the commands in those.

Conventions of the pages: words in capitals (``RECIPE``, ``data.path=FILE``) stand for the reader's own, and a command
that cannot be checked ends in ``# not checked: why``. Within a sentence, ``...`` may stand for what is left out.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
NOT_CHECKED = "# not checked: "
YOURS = re.compile(r"[A-Z][A-Z0-9_]*")

_NO_SHELL = ("python", "yaml", "json", "text", "mermaid")
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)\n(?P<body>(?:.*\n)*?)(?P=indent)```$", re.MULTILINE)
_SPAN = re.compile(r"`(prmkit [^`\n]+)`")
_SEPARATORS = frozenset({"&&", "||", ";", "|", "&", ">", "2>", ">>", "(", ")"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of code: its language, its title (a file's name), the text and where it begins."""

    page: Path
    line: int
    language: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A call of prmkit. ``span`` marks one in a sentence or a table, which may leave out arguments."""

    where: str
    arguments: tuple[str, ...]
    span: bool = False


def blocks(page: Path) -> Iterator[Block]:
    """Blocks between fences, and those that are indented by four."""
    text = page.read_text(encoding="utf-8")
    rest = text
    for found in _FENCE.finditer(text):
        language, _, options = found["info"].strip().partition(" ")
        title = re.search(r'title="([^"]+)"', options)
        yield Block(
            page=page,
            line=text.count("\n", 0, found.start()) + 2,
            language=language,
            title=title[1] if title else "",
            text=found["body"],
        )
        rest = rest.replace(found[0], "\n" * found[0].count("\n"), 1)
    lines = rest.split("\n")
    for number, line in enumerate(lines):
        if line.startswith("    ") and not line.lstrip().startswith(("*", "-")):
            yield Block(page=page, line=number + 1, language="", title="", text=line[4:] + "\n")


def shell_lines(page: Path) -> Iterator[tuple[str, str]]:
    """Every line of shell on a page, with its place; lines that go on are joined."""
    for block in blocks(page):
        if block.language in _NO_SHELL:
            continue
        line, number = "", block.line
        for offset, part in enumerate(block.text.splitlines()):
            number = number if line else block.line + offset
            line += part.removesuffix("\\")
            if not part.endswith("\\"):
                yield f"{page.relative_to(ROOT)}:{number}", line
                line = ""


def commands(page: Path) -> Iterator[Command]:
    """Every call of prmkit on a page that can be checked."""
    for where, line in shell_lines(page):
        if NOT_CHECKED not in line:
            for words in _calls(line):
                arguments = _arguments(words)
                if arguments is not None:
                    yield Command(where=where, arguments=tuple(arguments))
    text = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), page.read_text(encoding="utf-8"))
    for span in _SPAN.finditer(text):
        where = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, span.start()) + 1}"
        for words in _alternatives(span[1].replace("\\|", "|")):
            if not YOURS.fullmatch(words[0]):
                yield Command(where=where, arguments=tuple(words), span=True)


def _calls(line: str) -> Iterator[list[str]]:
    """The simple commands of a line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;()<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if word in _SEPARATORS:
            yield words
            words = []
        else:
            words.append(word)
    yield words


def _arguments(words: list[str]) -> list[str] | None:
    """What prmkit is told; None where the command is another."""
    for index, word in enumerate(words):
        if word == "prmkit" and all("=" in before for before in words[:index]):
            return words[index + 1 :]
        if word == "cli.py":
            return words[index + 1 :]
    return None


def _alternatives(span: str) -> Iterator[list[str]]:
    """``data list|stats`` stands for two commands."""
    words = shlex.split(span)[1:]
    several = next((index for index, word in enumerate(words) if "|" in word and word[0].islower()), None)
    if several is None:
        yield words
        return
    for one in words[several].split("|"):
        yield [*words[:several], one, *words[several + 1 :]]
