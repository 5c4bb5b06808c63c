"""A Markdown summary of some runs, for model cards: the tables and sentences of the page, without its figures."""

from collections.abc import Callable, Sequence
from pathlib import Path

from prmkit.report.blocks import Block, Heading, Prose, Section, Table
from prmkit.report.html import figure_text
from prmkit.report.markdown import markdown_table, plain
from prmkit.report.page import sections_of
from prmkit.report.read import read_runs
from prmkit.run.files import refuse_existing, write_text

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
    return [f"## {plain(section.title)}", *kept] if kept else []


def _block(block: Block) -> str:
    writers: dict[type, Callable[..., str]] = {Prose: _prose, Heading: _heading, Table: _table}
    write = writers.get(type(block))
    return write(block) if write is not None else ""


def _prose(block: Prose) -> str:
    lines = [f"* {'**Note:** ' if block.warning else ''}{plain(line)}" for line in block.lines]
    return "\n".join(lines)


def _heading(block: Heading) -> str:
    return f"### {plain(block.text)}"


def _table(block: Table) -> str:
    cells = [[figure_text(value) for value in row] for row in block.rows]
    title = f"**{plain(block.title)}**\n\n" if block.title else ""
    return title + markdown_table(block.columns, cells, texts=block.texts)
