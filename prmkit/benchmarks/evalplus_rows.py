"""What the readers of HumanEval+ and MBPP+ share: which rows they read, and the inputs in them."""

from pathlib import Path
from typing import Literal

from prmkit.download import cached
from prmkit.errors import InputError
from prmkit.rows_io import Fields, first_rows
from prmkit.sandbox import values
from prmkit.tree import Case

EvalplusForm = Literal["rich", "hub"]
"""Evalplus's own release, or the data set on the hub."""


def evalplus_rows(
    path: Path | None, form: EvalplusForm, *, release: str, hub: str, limit: int | None
) -> list[tuple[str, Fields]]:
    """(place, row) of the first ``limit`` rows of a local file, or without one of what ``form`` names.

    Raises:
        InputError: there is no such form; the file, the release or the hub cannot be read.
    """
    if form not in ("rich", "hub"):
        raise InputError("unknown form", got=form, expected="rich or hub")
    return first_rows(cached(release) if path is None and form == "rich" else path, hub=hub, split="test", limit=limit)


def cases_of(row: Fields, where: str, column: str) -> list[Case]:
    """The inputs of a column; those of ``base_input`` are public.

    Raises:
        InputError: it is no list of argument lists.
    """
    inputs = row.get(column)
    if inputs == {}:  # Mbpp/793 has no plus inputs, written so
        return []
    if not isinstance(inputs, list) or not all(isinstance(given, list | tuple) for given in inputs):
        raise InputError(f"illegal {column}", where=where, got=inputs, expected="a list of argument lists")
    return [Case(input=values.encode(list(given)), public=column == "base_input") for given in inputs]
