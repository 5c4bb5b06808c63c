"""Text and tables in Markdown, with nothing of what they hold obeyed."""

from collections.abc import Sequence


def plain(text: str) -> str:
    """Text on one line with nothing in it that Markdown or HTML would obey."""
    escaped = "".join(f"\\{character}" if character in "\\`*_[]<>|#!~&" else character for character in text)
    return " ".join(escaped.split())


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int | None = None) -> str:
    """A table; columns after the first ``texts`` hold figures and stand to the right."""
    left = len(columns) if texts is None else texts
    rule = [":--" if at < left else "--:" for at in range(len(columns))]
    lines = [[plain(name) for name in columns], rule, *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
