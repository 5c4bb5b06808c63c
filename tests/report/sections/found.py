"""The blocks of a section by their kind."""

from typing import TypeVar

from prmkit.report.blocks import Block, Figure, Section, Table

ResultKind = TypeVar("ResultKind", bound=Block)


def blocks(found: Section, kind: type[ResultKind]) -> list[ResultKind]:
    return [block for block in found.blocks if isinstance(block, kind)]


def figure(found: Section, title: str) -> Figure:
    (one,) = (block for block in blocks(found, Figure) if block.title == title)
    return one


def table(found: Section, title: str = "") -> Table:
    (one,) = (block for block in blocks(found, Table) if block.title == title)
    return one
