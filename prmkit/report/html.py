"""Blocks as HTML. Every text is escaped here, and nowhere else."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from prmkit.report.blocks import Block, Card, Cards, Code, Figure, Heading, Prose, Section, Table, TableCell
from prmkit.report.estimates import DASH

_MILLIONS = 1e7
"""From here on nobody reads the digits of a number one by one."""


class Page:
    """Writes sections, and gathers the data of their figures, which the page draws itself."""

    def __init__(self) -> None:
        self.figures: list[dict[str, Any]] = []
        self._writers: dict[type[Any], Callable[[Any], str]] = {
            Prose: prose,
            Table: table,
            Figure: self._figure,
            Heading: lambda heading: f"<h3>{escape(heading.text)}</h3>",
            Code: _code,
            Cards: lambda block: f'<ul class="cards">{"".join(map(_card, block.cards))}</ul>',
        }

    def section(self, section: Section) -> str:
        """A section; neighbouring figures stand side by side where there is room."""
        parts: list[str] = []
        for index, block in enumerate(section.blocks):
            if isinstance(block, Figure) and not _is_figure(section.blocks, index - 1):
                parts.append('<div class="figures">')
            parts.append(self._writers[type(block)](block))
            if isinstance(block, Figure) and not _is_figure(section.blocks, index + 1):
                parts.append("</div>")
        return f'<section id="{anchor(section)}"><h2>{escape(section.title)}</h2>{"".join(parts)}</section>'

    def _figure(self, figure: Figure) -> str:
        number = len(self.figures)
        self.figures.append(figure.as_dict())
        rows = max(len(figure.rows), *(len(one.x) for one in figure.series), 0) if figure.horizontal else 0
        buttons = "".join(
            f'<button type="button" data-save="{kind}" aria-label="Save as {kind.upper()}: {escape(figure.title)}">'
            f"{kind.upper()}</button>"
            for kind in ("png", "svg", "csv")
        )
        caption = f"<p>{escape(figure.caption)}</p>" if figure.caption else ""
        return (
            f'<figure data-figure="{number}"><figcaption><b>{escape(figure.title)}</b><span class="tools">{buttons}'
            f'</span></figcaption><div class="plot" data-rows="{rows}"></div>{caption}</figure>'
        )


def anchor(section: Section) -> str:
    """The id of a section."""
    return section.title.lower().replace(" ", "-")


def table(block: Table) -> str:
    """A table, which scrolls in its own box on a narrow screen."""
    head = "".join(f'<th scope="col"{_kind(block, at)}>{escape(name)}</th>' for at, name in enumerate(block.columns))
    rows = "".join(
        f"<tr>{''.join(f'<td{_kind(block, at)}>{_cell(value)}</td>' for at, value in enumerate(row))}</tr>"
        for row in block.rows
    )
    title = block.title or "Table"
    shown = f"<b>{escape(block.title)}</b>" if block.title else ""
    return (
        f'<div class="table"><div class="caption">{shown}<span class="tools"><button type="button" data-save="table" '
        f'aria-label="Save as CSV: {escape(title)}">CSV</button></span></div><div class="scroll" tabindex="0" '
        f'role="region" aria-label="{escape(title)}"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>'
        f"</table></div></div>"
    )


def figure_text(value: TableCell) -> str:
    """A value in a table, as text: thousands apart, no more digits than are read."""
    if value is None:
        return DASH
    if isinstance(value, float):
        return f"{value:,.1f}" if 1 <= abs(value) < _MILLIONS or value == 0 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else value


def _cell(value: TableCell) -> str:
    return escape(figure_text(value))


def _kind(block: Table, at: int) -> str:
    return ' class="text"' if at < block.texts else ""


def prose(block: Prose) -> str:
    """A paragraph of one sentence, a list of several."""
    kind = ' class="warning" role="note"' if block.warning else ""
    if len(block.lines) == 1:
        return f"<p{kind}>{escape(block.lines[0])}</p>"
    return f"<ul{kind}>{''.join(f'<li>{escape(line)}</li>' for line in block.lines)}</ul>"


def _code(block: Code) -> str:
    text = f'<pre tabindex="0">{escape(block.text)}</pre>'
    return f"<details><summary>{escape(block.title)}</summary>{text}</details>" if block.title else text


def _card(card: Card) -> str:
    note = f"<small>{escape(card.note)}</small>" if card.note else ""
    return f"<li><span>{escape(card.name)}</span><strong>{escape(card.value)}</strong>{note}</li>"


def _is_figure(blocks: Sequence[Block], index: int) -> bool:
    return 0 <= index < len(blocks) and isinstance(blocks[index], Figure)
