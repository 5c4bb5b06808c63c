"""A Markdown summary of some runs, for model cards: the tables and sentences of the page, without its figures."""

from collections.abc import Callable, Sequence
from pathlib import Path

from prmkit.report.blocks import Block, Heading, Prose, Section, Table
from prmkit.report.html import figure_text
from prmkit.report.page import sections_of, write_text
from prmkit.report.read import read_runs
from prmkit.run import refuse_existing

_LEFT_OUT = "How to run it again"


def markdown_summary(runs: Sequence[Path]) -> str:
    """What these runs found, in Markdown: sentences and tables under headings of the second level, figures with errors.

    Args:
        runs: run folders, in the order of the summary.

    Raises:
        InputError: a folder holds no finished run, or lacks what the summary reads.
    """
    sections = [section for section in sections_of(read_runs(runs)) if section.title != _LEFT_OUT]
    return "\n\n".join(text for section in sections for text in _section(section)) + "\n"


def write_summary(runs: Sequence[Path], out: Path, *, overwrite: bool = False) -> None:
    """Write the summary to a file.

    Raises:
        InputError: as above, or the file exists.
    """
    refuse_existing(out, overwrite=overwrite)
    write_text(out, markdown_summary(runs))


def _section(section: Section) -> list[str]:
    texts = [text for block in section.blocks if (text := _block(block))]
    # A heading whose figures alone stood under it says nothing.
    kept = [
        text
        for index, text in enumerate(texts)
        if not text.startswith("### ") or (index + 1 < len(texts) and not texts[index + 1].startswith("### "))
    ]
    return [f"## {_plain(section.title)}", *kept] if kept else []


def _block(block: Block) -> str:
    writers: dict[type, Callable[..., str]] = {Prose: _prose, Heading: _heading, Table: _table}
    write = writers.get(type(block))
    return write(block) if write is not None else ""


def _prose(block: Prose) -> str:
    lines = [f"* {'**Note:** ' if block.warning else ''}{_plain(line)}" for line in block.lines]
    return "\n".join(lines)


def _heading(block: Heading) -> str:
    return f"### {_plain(block.text)}"


def _table(block: Table) -> str:
    rule = [":--" if at < block.texts else "--:" for at in range(len(block.columns))]
    rows = [[_plain(figure_text(value)) for value in row] for row in block.rows]
    lines = [f"| {' | '.join(row)} |" for row in ([_plain(name) for name in block.columns], rule, *rows)]
    return "\n".join([*([f"**{_plain(block.title)}**", ""] if block.title else []), *lines])


def _plain(text: str) -> str:
    """Text on one line with nothing in it that Markdown or HTML would obey."""
    escaped = "".join(f"\\{character}" if character in "\\`*_[]<>|#!~&" else character for character in text)
    return " ".join(escaped.split())
